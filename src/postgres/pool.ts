import pg from 'pg';
import { quoteIdentifier, quoteLiteral } from './identifiers.js';
import { PooledClient } from './pooled-client.js';
import { EVERY_SESSION } from './session.js';

/** The settings under which every connection of Trueup works, beside what the URL says. */
export interface DatabaseOptions {
  readonly connection: pg.PoolConfig;
  /** Shown in pg_stat_activity, so that a person can find the session and end it. */
  readonly applicationName: string;
  readonly maxConnections?: number;
  /** Statements are sent without waiting for the answers to those before them. Default: false. */
  readonly pipeline?: boolean;
  /** Settings of every connection of this pool, such as `lock_timeout`. */
  readonly session?: Readonly<Record<string, string>>;
  /** Called whenever a connection is found broken, before another one takes its place. */
  readonly onBroken?: () => void;
}

/** What the types of the driver do not tell: it pipelines, and waits for what is done on connecting. */
type PoolConfig = Omit<pg.PoolConfig, 'onConnect'> & {
  readonly pipeline: boolean;
  readonly onConnect: (client: pg.ClientBase) => Promise<void>;
};

/** A pool of connections, each with the settings of every session and its own. */
export function createPool(options: DatabaseOptions): pg.Pool {
  const session = Object.entries({ ...EVERY_SESSION, ...options.session })
    .map(([name, value]) => `SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`)
    .join('; ');
  const pipeline = options.pipeline ?? false;
  const config: PoolConfig = {
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: 10_000,
    ...options.connection,
    pipeline,
    Client: PooledClient,
    application_name: options.applicationName,
    onConnect: async (client) => {
      const sent = client.query(session);
      // What pipelines has it go out ahead of its first work, which tells a failure as well.
      if (pipeline) sent.catch(() => undefined);
      else await sent;
    },
  };
  const pool = new pg.Pool(config);
  // An idle connection that breaks is replaced by the pool; the next query reports what is wrong.
  pool.on('error', () => options.onBroken?.());
  return pool;
}
