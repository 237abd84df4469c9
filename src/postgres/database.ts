import type pg from 'pg';
import { TrueupError } from '../core/errors.js';
import { readied, userOf } from './address.js';
import { isConnectionFailure, isRetryable, toTrueupError } from './failures.js';
import { quoteIdentifier, quoteLiteral } from './identifiers.js';
import { createPool, type DatabaseOptions } from './pool.js';

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

/** The lowest server that is supported, as `server_version_num` spells it. */
const LOWEST_SERVER = 150_000;

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
    const connection = readied(options.connection);
    const database = new Database({ ...options, connection });
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
