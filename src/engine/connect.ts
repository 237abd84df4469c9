import { isOwn } from '../mapping/own.js';
import type { Mapping } from '../mapping/schema.js';
import { Database } from '../postgres/database.js';
import type { SchemaPart } from '../postgres/migrate.js';
import { EmbeddedServer } from '../postgres/embedded/server.js';
import type { ReasonRegistry } from '../core/reasons.js';
import type { PosterOptions } from '../ledger/poster.js';

/** How to open Trueup. Without a URL it starts, or joins, the embedded server of `home`. */
export interface TrueupOptions {
  /** `postgres://...`, PostgreSQL 15 to 18. Default: the environment's DATABASE_URL. */
  readonly databaseUrl?: string | undefined;
  /** The mapping, or the file it is in. Default: `trueup.config.json`, then Trueup's own tables. */
  readonly config?: string | Mapping | undefined;
  /** Reasons beside those of the mapping, or in place of them. */
  readonly reasons?: ReasonRegistry | undefined;
  /** How postings are gathered into batches. */
  readonly posting?: Partial<PosterOptions>;
  /** Where the embedded server keeps its files. Default: TRUEUP_HOME, then `.trueup`. */
  readonly home?: string | undefined;
  /** The database of the embedded server. Default: TRUEUP_DATABASE, then `trueup`. */
  readonly embeddedDatabase?: string | undefined;
  /** Drop that database first, with all that is in it. Default: false. */
  readonly recreate?: boolean;
  /**
   * Write nothing while opening: no migration, no trigger. Default: false.
   * With the embedded server Trueup's own tables are made all the same: the server is its own.
   */
  readonly readOnly?: boolean;
  /** Heal sync failures in the background until close(). Default: true, unless read-only. */
  readonly healer?: boolean;
  /** Connections at most. Default: 10. */
  readonly maxConnections?: number;
  /** Shown in pg_stat_activity. Default: `trueup`. */
  readonly applicationName?: string;
}

/** A connection, and the embedded server behind it if it is one. */
export interface Connection {
  readonly server: EmbeddedServer | undefined;
  readonly database: Database;
}

/** What a mapping needs of Trueup's schema. */
export function schemaParts(mapping: Mapping): SchemaPart[] {
  return isOwn(mapping) ? ['operations', 'ledger'] : ['operations'];
}

/** Ends what {@link connect} began. */
export async function disconnect({ server, database }: Connection): Promise<void> {
  await database.close();
  await server?.leave();
}

/** Connects to the URL, or to the embedded server. */
export async function connect(options: TrueupOptions): Promise<Connection> {
  const url = options.databaseUrl ?? process.env['DATABASE_URL'];
  const common = {
    applicationName: options.applicationName ?? 'trueup',
    maxConnections: options.maxConnections ?? 10,
  };
  if (url !== undefined && url !== '') {
    return {
      server: undefined,
      database: await Database.open({ connection: { connectionString: url }, ...common }),
    };
  }
  const home = options.home ?? process.env['TRUEUP_HOME'] ?? '.trueup';
  const server = await EmbeddedServer.join(home);
  try {
    const name = options.embeddedDatabase ?? process.env['TRUEUP_DATABASE'] ?? 'trueup';
    const connection =
      options.recreate === true ? await server.recreate(name) : await server.connection(name);
    return { server, database: await Database.open({ connection, ...common }) };
  } catch (error) {
    await server.leave();
    throw error;
  }
}
