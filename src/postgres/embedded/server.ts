import pg from 'pg';
import { TrueupError, messageOf } from '../../core/errors.js';
import { isConnectionFailure, sqlStateOf } from '../failures.js';
import { quoteIdentifier } from '../identifiers.js';
import { prepareHome, type Home } from './home.js';
import {
  createCluster,
  ensureRunning,
  readPostmaster,
  SERVER_USER,
  stopServer,
} from './process.js';

/** Every process that uses the server holds this lock together with the others. */
const PRESENCE_LOCK = '7219004311';

/** Held by a process that has made a database anew, so that no other one does it meanwhile. */
const RECREATION_LOCK = '7219004313';
const RECREATED_WITHIN = '30s';

/** How often to try to join a server that is just ending or starting. */
const JOIN_ATTEMPTS = 5;

/** What pg.Client can do and its types do not know. */
interface Referable {
  ref(): void;
  unref(): void;
}

/**
 * The embedded PostgreSQL of one folder. The first process that needs it starts it, others join,
 * and the last one that leaves stops it, unless a stranger (such as psql) is still connected.
 */
export class EmbeddedServer {
  readonly #home: Home;
  #presence: pg.Client;

  private constructor(home: Home, presence: pg.Client) {
    this.#home = home;
    this.#presence = presence;
  }

  /** @throws TrueupError `embedded_failed` */
  static async join(folder: string): Promise<EmbeddedServer> {
    const home = prepareHome(folder);
    createCluster(home);
    for (let attempt = 1; ; attempt += 1) {
      await ensureRunning(home);
      try {
        return new EmbeddedServer(home, await announce(home));
      } catch (error) {
        // The server that was ready a moment ago is being stopped by the last one who left.
        if (attempt < JOIN_ATTEMPTS && isConnectionFailure(error)) continue;
        if (error instanceof TrueupError) throw error;
        throw new TrueupError('embedded_failed', `cannot join the server: ${messageOf(error)}`, {
          hint: `Its log is ${home.log}.`,
          cause: error,
        });
      }
    }
  }

  /**
   * Starts it again where it is gone, as after a crash, and takes part in its use anew.
   *
   * @throws TrueupError `embedded_failed`
   */
  async rejoin(): Promise<void> {
    try {
      await this.#ask('SELECT 1');
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      await ensureRunning(this.#home);
      this.#presence = await announce(this.#home);
    }
  }

  /** How to connect to one of its databases; the database is created if there is none. */
  async connection(database: string): Promise<pg.PoolConfig> {
    const found = await this.#ask('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (found.rows.length === 0) await this.#create(database);
    return connectionTo(this.#home, database);
  }

  /** The same as a URL, as pg and psql take it: the folder of the socket is the host. */
  static urlOf({ host = '', port = 0, user = '', database = '' }: pg.PoolConfig): string {
    // The driver decodes the path with decodeURI, so a slash has to stay one.
    const path = encodeURI(database).replaceAll('?', '%3F').replaceAll('#', '%23');
    return `postgres://${encodeURIComponent(user)}@/${path}?host=${encodeURIComponent(host)}&port=${String(port)}`;
  }

  /**
   * Drops a database, whoever is connected to it, and creates it anew. Another process that wants to
   * do the same waits until this one has left.
   *
   * @throws TrueupError `embedded_failed`
   */
  async recreate(database: string): Promise<pg.PoolConfig> {
    await this.#ask(`SET lock_timeout = '${RECREATED_WITHIN}'`);
    try {
      await this.#ask(`SELECT pg_advisory_lock(${RECREATION_LOCK})`);
    } catch (error) {
      if (sqlStateOf(error) !== '55P03') throw error;
      throw new TrueupError('embedded_failed', `another program works with ${database}`, {
        hint: 'Wait until it has ended, or set TRUEUP_HOME to another folder.',
        cause: error,
      });
    }
    await this.#ask(`DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE)`);
    return this.connection(database);
  }

  async #create(database: string): Promise<void> {
    try {
      await this.#ask(`CREATE DATABASE ${quoteIdentifier(database)}`);
    } catch (error) {
      // Another process created it in this instant.
      const state = sqlStateOf(error);
      if (state !== '42P04' && state !== '23505') throw error;
    }
  }

  /** The presence connection keeps no program alive, except while it is asked something. */
  async #ask<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly string[] = [],
  ): Promise<pg.QueryResult<Row>> {
    const referable: Referable = this.#presence as pg.Client & Referable;
    referable.ref();
    try {
      return await this.#presence.query<Row>(text, [...values]);
    } finally {
      referable.unref();
    }
  }

  /** The process number of the server. */
  get pid(): number | undefined {
    return readPostmaster(this.#home)?.pid;
  }

  /** Leaves the server, and stops it if nobody else is there. */
  async leave(): Promise<void> {
    let last: boolean;
    try {
      last = await this.#isLast();
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      return; // The server is gone already: nothing to leave.
    }
    (this.#presence as pg.Client & Referable).ref();
    if (last) await stopServer(this.#home);
    else await this.#presence.end();
  }

  async #isLast(): Promise<boolean> {
    await this.#ask(`SELECT pg_advisory_unlock_shared(${PRESENCE_LOCK})`);
    const { rows } = await this.#ask<{ last: boolean }>(
      `SELECT pg_try_advisory_lock(${PRESENCE_LOCK}) AND NOT EXISTS (
                SELECT FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND application_name NOT LIKE 'trueup%'
                   AND pid <> pg_backend_pid()) AS last`,
    );
    return rows[0]?.last === true;
  }
}

function connectionTo(home: Home, database: string): pg.PoolConfig {
  return { host: home.sockets, port: 5432, user: SERVER_USER, database };
}

/** Connects, proves that the server is the one of this folder, and takes part in its use. */
async function announce(home: Home): Promise<pg.Client> {
  const client = new pg.Client({
    ...connectionTo(home, 'postgres'),
    application_name: 'trueup presence',
  });
  // When the server goes away, whoever works with it is told by his own query.
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ data: string }>(
    `SELECT current_setting('data_directory') AS data`,
  );
  if (rows[0]?.data !== home.data) {
    await client.end();
    throw new TrueupError('embedded_failed', `another server answers in ${home.sockets}`, {
      hint: 'Stop it, or set TRUEUP_HOME to another folder.',
    });
  }
  await client.query(`SELECT pg_advisory_lock_shared(${PRESENCE_LOCK})`);
  // A program that forgets to close Trueup can still end.
  (client as pg.Client & Referable).unref();
  return client;
}
