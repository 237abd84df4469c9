import { isOwn } from '../mapping/own.js';
import type { Mapping } from '../mapping/schema.js';
import { Database } from '../postgres/database.js';
import type { SchemaPart } from '../postgres/migrate.js';
import { EmbeddedServer } from '../postgres/embedded/server.js';
import type { TrueupOptions } from './options.js';

/** A connection, and the embedded server behind it if it is one. */
export interface Connection {
  readonly server: EmbeddedServer | undefined;
  readonly database: Database;
  /** Where another client finds the database. */
  readonly url: string;
}

/** What a mapping needs of Trueup's schema. */
export function schemaParts(mapping: Mapping): SchemaPart[] {
  return isOwn(mapping) ? ['operations', 'ledger'] : ['operations'];
}

/** Ends what {@link connect} began. */
export async function disconnect({
  server,
  database,
}: Pick<Connection, 'server' | 'database'>): Promise<void> {
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
      url,
    };
  }
  const home = options.home ?? process.env['TRUEUP_HOME'] ?? '.trueup';
  const server = await EmbeddedServer.join(home);
  try {
    const name = options.embeddedDatabase ?? process.env['TRUEUP_DATABASE'] ?? 'trueup';
    const connection =
      options.recreate === true ? await server.recreate(name) : await server.connection(name);
    const database = await Database.open({ connection, ...common });
    return { server, database, url: EmbeddedServer.urlOf(connection) };
  } catch (error) {
    await server.leave();
    throw error;
  }
}
