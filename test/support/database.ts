import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, inject } from 'vitest';
import { openTrueup, OWN_MAPPING, type Trueup, type TrueupOptions } from '../../src/index.js';
import { onServer, TEMPLATE, withDatabase, withUser } from './server-url.js';

/**
 * The helpers of a test database write as Trueup does, past the guard of the caches: that is how tests
 * bring drift in. What `connect` gives is an application, unless it is given these options.
 */
export const WRITER = { options: '-c trueup.writer=trueup' } as const;

/**
 * For writers that never stop. A commit on a disk takes a moment and lets others work meanwhile; the server of
 * the tests may be in memory, where they would leave no time to whoever is tested beside them.
 */
export const AS_ON_DISK = { options: '-c commit_delay=8000 -c commit_siblings=0' } as const;

/** Who waits for a lock in this database: other tests use the same server. */
export const WAITING = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;

/** A database of one test file. It is dropped after the file; a connection left open fails it. */
export class TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly #pool: pg.Pool;
  readonly #open: { close(): Promise<void> }[] = [];
  readonly #roles: string[] = [];
  #application: TestDatabase | undefined;

  constructor(name: string, url: string, options: pg.PoolConfig = WRITER) {
    this.name = name;
    this.url = url;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 4,
      application_name: 'test',
      ...options,
    });
    this.#pool.on('error', () => undefined);
  }

  /** Rows of one statement. */
  async rows<Row extends pg.QueryResultRow = Record<string, string>>(
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, values)).rows;
  }

  /** Runs SQL text, which may hold several statements. */
  async run(text: string, values?: unknown[]): Promise<void> {
    await this.#pool.query(text, values);
  }

  /** The first column of the first row. */
  async value<Value = string>(text: string, values: unknown[] = []): Promise<Value> {
    const { rows } = await this.#pool.query<Value[]>({ text, values, rowMode: 'array' });
    return rows[0]?.[0] as Value;
  }

  /** A connection of its own, closed after the file at the latest. */
  async connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'test',
      ...options,
    });
    client.on('error', () => undefined);
    await client.connect();
    this.#open.push({ close: () => client.end() });
    return client;
  }

  /** The same database as an application sees it: what this one writes meets the guard. */
  get application(): TestDatabase {
    this.#application ??= new TestDatabase(this.name, this.url, {});
    return this.#application;
  }

  /** A role without any right, which goes away with the database. */
  async role(): Promise<{ readonly name: string; readonly url: string }> {
    const name = `trueup_test_${randomBytes(6).toString('hex')}`;
    await this.run(`CREATE ROLE ${name} LOGIN PASSWORD 'test'`);
    this.#roles.push(name);
    return { name, url: withUser(this.url, `${name}:test`) };
  }

  /** Trueup on this database, closed after the file at the latest. */
  async trueup(options: TrueupOptions = {}): Promise<Trueup> {
    const trueup = await openTrueup({
      databaseUrl: this.url,
      config: OWN_MAPPING,
      healer: false,
      ...options,
    });
    this.#open.push(trueup);
    return trueup;
  }

  /** Ends everything that was opened here. */
  async close(): Promise<void> {
    await Promise.all(this.#open.map((one) => one.close()));
    await this.#pool.end();
  }

  /** The same, and leaves nothing on the server. */
  async drop(serverUrl: string): Promise<void> {
    if (this.#application !== undefined) await this.#application.close();
    await this.close();
    await onServer(serverUrl, `DROP DATABASE ${this.name} WITH (FORCE)`);
    for (const role of this.#roles) await onServer(serverUrl, `DROP ROLE ${role}`);
  }
}

/**
 * Creates a database for this test file: with Trueup's own tables, or empty.
 * To be called at the top of a file or in beforeAll: in a test it would never be dropped.
 */
export async function createDatabase(kind: 'own' | 'empty'): Promise<TestDatabase> {
  const serverUrl = inject('serverUrl');
  const name = `trueup_test_${randomBytes(6).toString('hex')}`;
  await onServer(
    serverUrl,
    `CREATE DATABASE ${name}${kind === 'own' ? ` TEMPLATE ${TEMPLATE}` : ''}`,
  );
  const database = new TestDatabase(name, withDatabase(serverUrl, name));
  afterAll(() => database.drop(serverUrl));
  return database;
}
