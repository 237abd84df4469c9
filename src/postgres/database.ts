import pg from 'pg';
import { TrueupError } from '../core/errors.js';
import { isConnectionFailure, isRetryable, toTrueupError, unreachable } from './failures.js';
import { PooledClient } from './pooled-client.js';
import { quoteIdentifier, quoteLiteral } from './identifiers.js';
import { EVERY_SESSION } from './session.js';

/** Anything a statement can be sent to: the pool, or one connection inside a transaction. */
export interface Queryable {
  query<Row extends object>(statement: Statement): Promise<readonly Row[]>;
  /** Statements may be sent before the ones ahead of them are answered. */
  readonly pipelined?: boolean;
}

/** One statement: its text, its bound values, and a name if the server is to keep its plan. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly name?: string;
}

/** How a transaction runs. */
export interface TransactionOptions {
  /** The database refuses every write. */
  readonly readOnly?: boolean;
  /** Settings for this transaction only, such as `lock_timeout`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How often to try again after a deadlock, a serialization failure or a lock timeout. */
  readonly retries?: number;
}

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

/** The lowest server that is supported, as `server_version_num` spells it. */
const LOWEST_SERVER = 150_000;

/** What the driver understands: a URL, or a path to a socket. It takes any other text for a database's name. */
const ADDRESS = /^(postgres(ql)?:\/\/|socket:|\/)/i;

/** First delay before a retry, in milliseconds; it doubles, and half of it is random. */
const RETRY_DELAY_MS = 20;

/** A pool of connections to one database. */
export class Database implements Queryable {
  readonly #pool: pg.Pool;
  readonly #options: DatabaseOptions;
  #closed: Promise<void> | undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#pool = createPool(options);
  }

  /**
   * Opens a pool and proves that the server answers and is not too old.
   *
   * @throws TrueupError `database_unreachable`, `database_unsupported`
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    if (!ADDRESS.test(options.connection.connectionString ?? '/')) {
      throw unreachable('its URL does not begin with postgres://');
    }
    const database = new Database(options);
    try {
      await database.#refuseOldServer();
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  /** A second pool to the same database, which connects when it is used. */
  sibling(options: Omit<DatabaseOptions, 'connection' | 'applicationName'>): Database {
    return new Database({ ...this.#options, ...options });
  }

  async #refuseOldServer(): Promise<void> {
    const [row] = await this.query<{ version: string; number: string }>({
      text: `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number`,
    });
    if (row === undefined || Number(row.number) < LOWEST_SERVER) {
      throw new TrueupError(
        'database_unsupported',
        `the server runs PostgreSQL ${row?.version ?? 'of an unknown version'}`,
        { hint: 'Trueup supports PostgreSQL 15 to 18.' },
      );
    }
  }

  /** Sends one statement outside any transaction. @throws TrueupError */
  async query<Row extends object>(statement: Statement): Promise<readonly Row[]> {
    try {
      return (await this.#pool.query<Row>(toConfig(statement))).rows;
    } catch (error) {
      const { connection } = this.#options;
      throw toTrueupError(error, { text: statement.text, role: () => userOf(connection) });
    }
  }

  /**
   * Runs `work` in one transaction (READ COMMITTED) on one connection, and commits it.
   * After a retryable failure the whole of `work` runs again, so it must not keep state of its own;
   * it is told how often it failed before.
   *
   * @throws TrueupError whatever `work` throws, after a rollback
   */
  async transaction<Result>(
    work: (session: Queryable, attempt: number) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.session((session) =>
          inTransaction(session, (inside) => work(inside, attempt), options),
        );
      } catch (error) {
        if (attempt >= (options.retries ?? 0) || !isRetryable(error)) throw toTrueupError(error);
        await sleep(RETRY_DELAY_MS * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  }

  /** Lends one connection to `work`; it goes back to the pool, or is dropped if it broke. */
  async session<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw toTrueupError(error);
    }
    // A lent connection has nobody else to listen for its end: the query under way reports it.
    const onError = (): void => undefined;
    client.on('error', onError);
    let broken = false;
    try {
      return await work(new Session(client, this.#options.pipeline ?? false));
    } catch (error) {
      broken = isConnectionFailure(error);
      if (broken) this.#options.onBroken?.();
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** Closes every connection once its work is done. Closing twice is closing once. */
  close(): Promise<void> {
    return (this.#closed ??= this.#pool.end());
  }
}

/** What the types of the driver do not tell: it pipelines, and waits for what is done on connecting. */
type PoolConfig = Omit<pg.PoolConfig, 'onConnect'> & {
  readonly pipeline: boolean;
  readonly onConnect: (client: pg.ClientBase) => Promise<void>;
};

function createPool(options: DatabaseOptions): pg.Pool {
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

/**
 * What is needed of a connection on which somebody else has begun a transaction. `pg.Client` and
 * `pg.PoolClient` have it; for whatever else can send SQL text with numbered parameters ($1, $2, ...)
 * it takes a few lines: docs/recipes.md.
 */
export interface TransactionClient {
  query(statement: { text: string; values?: unknown[] }): Promise<{ rows: unknown[] }>;
}

/** A connection that somebody else has opened and will close. */
export function clientQueryable(client: TransactionClient): Queryable {
  return {
    query: async <Row extends object>(statement: Statement): Promise<readonly Row[]> => {
      try {
        // Without a name: it is planned for these values, and leaves nothing on his connection.
        const { text, values } = statement;
        const sent = client.query(values === undefined ? { text } : { text, values: [...values] });
        return rowsOf(await sent) as Row[];
      } catch (error) {
        throw toTrueupError(error);
      }
    },
  };
}

/** Whatever else stands in for a client has to answer like one. */
function rowsOf(result: unknown): readonly unknown[] {
  if (typeof result === 'object' && result !== null && 'rows' in result) {
    const { rows } = result;
    if (Array.isArray(rows)) return rows;
  }
  throw new TrueupError('invalid_argument', 'the query of the client gave no { rows }', {
    hint: 'docs/recipes.md tells what a client has to do.',
  });
}

/** Whom the driver connects as: the URL, the environment or the system says so. */
function userOf(connection: pg.PoolConfig): string | undefined {
  return new pg.Client(connection).user;
}

/** One connection of the pool. */
export class Session implements Queryable {
  readonly client: pg.PoolClient;
  readonly pipelined: boolean;

  constructor(client: pg.PoolClient, pipelined: boolean) {
    this.client = client;
    this.pipelined = pipelined;
  }

  /** @throws TrueupError */
  async query<Row extends object>(statement: Statement): Promise<readonly Row[]> {
    try {
      return (await this.client.query<Row>(toConfig(statement))).rows;
    } catch (error) {
      throw toTrueupError(error, { text: statement.text, role: () => this.client.user });
    }
  }
}

async function inTransaction<Result>(
  session: Session,
  work: (session: Queryable) => Promise<Result>,
  options: TransactionOptions,
): Promise<Result> {
  await session.query({ text: beginning(options) });
  try {
    const result = await work(session);
    await session.query({ text: 'COMMIT' });
    return result;
  } catch (error) {
    await rollback(session, error);
    throw error;
  }
}

/** BEGIN and the settings in one message: every round trip of a short transaction counts. */
export function beginning(options: TransactionOptions): string {
  const settings = Object.entries(options.settings ?? {}).map(
    ([name, value]) => `SET LOCAL ${quoteIdentifier(name)} = ${quoteLiteral(value)}`,
  );
  return [options.readOnly === true ? 'BEGIN READ ONLY' : 'BEGIN', ...settings].join('; ');
}

/** Rolls back; where even that fails, the first error is the one worth telling. */
async function rollback(session: Session, reason: unknown): Promise<void> {
  try {
    await session.query({ text: 'ROLLBACK' });
  } catch (error) {
    if (!isConnectionFailure(error)) throw new AggregateError([reason, error], 'rollback failed');
  }
}

function toConfig(statement: Statement): pg.QueryConfig {
  const config: pg.QueryConfig = { text: statement.text };
  if (statement.values !== undefined) config.values = [...statement.values];
  if (statement.name !== undefined) config.name = statement.name;
  return config;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
