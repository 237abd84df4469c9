import { EventEmitter } from 'node:events';
import type { Finding } from './core/drift.js';
import { TrueupError } from './core/errors.js';
import type { PostOutcome, PostRequest } from './core/post.js';
import { post } from './ledger/post.js';
import { openWallet, type OpenWalletRequest } from './ledger/wallets.js';
import { loadMapping, type LoadedMapping } from './mapping/load.js';
import type { ResolvedMapping } from './mapping/model.js';
import { OWN_MAPPING } from './mapping/own.js';
import { resolveMapping } from './mapping/resolve.js';
import type { Mapping } from './mapping/schema.js';
import { Database } from './postgres/database.js';
import { EmbeddedServer } from './postgres/embedded/server.js';
import { migrate, type Migration } from './postgres/migrate.js';
import { heal, type HealResult } from './reconcile/heal.js';
import { Healer } from './reconcile/healer.js';
import type { ReconcileOptions, ReconcileSummary } from './reconcile/options.js';
import { reconcile } from './reconcile/run.js';
import * as services from './reconcile/services.js';
import {
  installSync,
  installSyncOnce,
  removeSync,
  syncStatus,
  type SyncStatus,
} from './sync/sync.js';
import { VERSION } from './version.js';

/** How to open Trueup. Without a URL it starts, or joins, the embedded server of `home`. */
export interface TrueupOptions {
  /** `postgres://...`, PostgreSQL 15 to 18. Default: the environment's DATABASE_URL. */
  readonly databaseUrl?: string | undefined;
  /** The mapping, or the file it is in. Default: `trueup.config.json`, then Trueup's own tables. */
  readonly config?: string | Mapping | undefined;
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

/** What {@link Trueup.on} can listen to, and what the listener is given. */
export interface TrueupEvents {
  /** reconcile saw a cache that differs from the ledger. */
  drift: [finding: Finding];
  /** The background healer closed sync failures, or tried to. */
  heal: [result: HealResult];
  /** The background healer met an error; it goes on. */
  healerError: [error: unknown];
}

/** What opening made ready, so that close() can end it in reverse order. */
interface Parts extends Connection {
  readonly mapping: ResolvedMapping;
  readonly source: Mapping;
}

/** An open Trueup: one database, one mapping. */
export class Trueup extends EventEmitter<TrueupEvents> {
  readonly #parts: Parts;
  readonly #healer: Healer | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: Parts, options: { healer: boolean }) {
    super();
    this.#parts = parts;
    this.#healer = options.healer
      ? new Healer(parts.database, parts.mapping, {
          onHealed: (result) => this.emit('heal', result),
          onError: (error) => this.emit('healerError', error),
        })
      : undefined;
  }

  /** The mapping with what the database says about it. */
  get mapping(): ResolvedMapping {
    return this.#parts.mapping;
  }

  /** Puts coins into a wallet. Refusals are values; see {@link PostOutcome}. */
  credit(request: PostRequest): Promise<PostOutcome> {
    return post(this.#parts.database, this.mapping, 'credit', request);
  }

  /** Takes coins out of a wallet. Refusals are values; see {@link PostOutcome}. */
  debit(request: PostRequest): Promise<PostOutcome> {
    return post(this.#parts.database, this.mapping, 'debit', request);
  }

  /**
   * Opens a wallet in Trueup's own tables.
   *
   * @returns its id
   * @throws TrueupError `feature_off` on adopted tables: their application opens wallets itself
   */
  async openWallet(request: OpenWalletRequest): Promise<string> {
    if (this.#parts.source !== OWN_MAPPING) {
      throw new TrueupError('feature_off', 'an adopted application opens its wallets itself');
    }
    return openWallet(this.#parts.database, request);
  }

  /** Makes a wallet's caches and its profile's what the ledger says. */
  syncWalletToProfile(walletId: string): Promise<services.SyncResult> {
    return services.syncWalletToProfile(this.#parts.database, this.mapping, walletId);
  }

  /** The same for a user's wallet; null where he has none. */
  syncProfileByUserId(userId: string): Promise<services.SyncResult | null> {
    return services.syncProfileByUserId(this.#parts.database, this.mapping, userId);
  }

  /** Compares ledger, wallet and profile exactly. Reads only. */
  getBalanceDrift(walletId: string): Promise<services.BalanceDrift> {
    return services.getBalanceDrift(this.#parts.database, this.mapping, walletId);
  }

  /** Rebuilds lifetime earnings from the ledger and returns them. */
  recomputeLifetimeEarnings(walletId: string): Promise<bigint> {
    return services.recomputeLifetimeEarnings(this.#parts.database, this.mapping, walletId);
  }

  /** Finds every cache that differs from the ledger and repairs it, or only reports it. */
  reconcile(options: ReconcileOptions): Promise<ReconcileSummary> {
    return reconcile(
      this.#parts.database,
      this.mapping,
      {
        ...options,
        onFinding: (finding) => {
          this.emit('drift', finding);
          options.onFinding?.(finding);
        },
      },
      VERSION,
    );
  }

  /** Installs the sync triggers of the mapping, or brings them up to date. */
  installSync(): Promise<void> {
    return installSync(this.#parts.database, this.mapping, this.#parts.source);
  }

  /** Removes the sync triggers of the mapping. */
  removeSync(): Promise<void> {
    return removeSync(this.#parts.database, this.mapping);
  }

  /** Whether the sync triggers stand, and how many failures wait for the healer. */
  syncStatus(): Promise<SyncStatus> {
    return syncStatus(this.#parts.database, this.mapping);
  }

  /** Takes up recorded sync failures now. */
  heal(options: { everything?: boolean; signal?: AbortSignal } = {}): Promise<HealResult> {
    return heal(this.#parts.database, this.mapping, options);
  }

  /** Ends the healer and every connection, and leaves the embedded server. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#healer?.stop();
    await disconnect(this.#parts);
  }
}

/**
 * Opens Trueup: connects (or starts the embedded server), brings Trueup's schema up to date, and
 * holds the mapping against the database.
 *
 * @throws TrueupError `database_unreachable`, `database_unsupported`, `embedded_failed`,
 *   `config_not_found`, `config_invalid`, `mapping_mismatch`, `schema_missing`, `schema_newer`,
 *   `migration_changed`, `permission_denied`
 */
export async function openTrueup(options: TrueupOptions = {}): Promise<Trueup> {
  const loaded = loadMapping(options.config);
  const { server, database } = await connect(options);
  try {
    const own = loaded.mapping === OWN_MAPPING;
    if (options.readOnly !== true || (own && server !== undefined)) await prepare(database, loaded);
    const mapping = await resolveMapping(database, loaded);
    const healer = options.healer ?? options.readOnly !== true;
    return new Trueup({ server, database, mapping, source: loaded.mapping }, { healer });
  } catch (error) {
    await disconnect({ server, database });
    throw error;
  }
}

/**
 * Only brings Trueup's schema up to date.
 *
 * @returns the migrations that were applied
 * @throws TrueupError as {@link openTrueup}
 */
export async function migrateDatabase(options: TrueupOptions = {}): Promise<Migration[]> {
  const loaded = loadMapping(options.config);
  const { server, database } = await connect(options);
  try {
    return await prepare(database, loaded);
  } finally {
    await disconnect({ server, database });
  }
}

/**
 * Migrates. A mapping that does not fit is refused before anything is written. Trueup's own ledger
 * is given its sync triggers, once: if a person removes them later, that is respected.
 */
async function prepare(database: Database, loaded: LoadedMapping): Promise<Migration[]> {
  if (loaded.mapping !== OWN_MAPPING) {
    await resolveMapping(database, loaded);
    return migrate(database, ['operations']);
  }
  const applied = await migrate(database, ['operations', 'ledger']);
  const mapping = await resolveMapping(database, loaded);
  await installSyncOnce(database, mapping, loaded.mapping);
  return applied;
}

/** A connection, and the embedded server behind it if it is one. */
export interface Connection {
  readonly server: EmbeddedServer | undefined;
  readonly database: Database;
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
