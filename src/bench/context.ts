import { randomBytes } from 'node:crypto';
import { connect, disconnect, type Connection } from '../engine/connect.js';
import {
  openTrueup,
  OWN_MAPPING,
  type Mapping,
  type Trueup,
  type TrueupOptions,
} from '../index.js';
import type { Database } from '../postgres/database.js';
import { createBenchDatabase, dropBenchDatabase } from './databases.js';
import type { Figure } from './report.js';

/** What a benchmark is asked for. */
export interface BenchOptions {
  /** Only this scenario. */
  readonly scenario?: string | undefined;
  /** How long each timed round takes. */
  readonly seconds: number;
  readonly databaseUrl?: string | undefined;
  /** 1 is the size of the published figures. */
  readonly scale: number;
}

/** What a scenario works with. */
export interface Bench {
  readonly options: BenchOptions;
  /** Tells a person what is going on. */
  readonly say: (line: string) => void;
  readonly report: (figure: Figure) => void;
}

/** A database that a scenario has for itself. */
export interface BenchDatabase {
  readonly database: Database;
  /** Trueup on it, with the given mapping. */
  readonly trueup: Trueup;
  /** How this process reaches it. */
  readonly options: TrueupOptions;
  /** How another process reaches it. */
  readonly environment: Readonly<Record<string, string>>;
  /** A second pool, for clients with connections of their own. */
  readonly pool: (connections: number) => Promise<Connection>;
}

/**
 * Lends a scenario a new database on the server under test, and drops it afterwards. With a URL the
 * database is made beside the one in the URL, which is left alone.
 */
export async function withDatabase(
  bench: Bench,
  config: Mapping,
  work: (lent: BenchDatabase) => Promise<void>,
  setUp: (database: Database) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const name = `trueup_bench_${randomBytes(4).toString('hex')}`;
  const place = await createBenchDatabase(bench.options.databaseUrl, name);
  const opened: Connection[] = [];
  try {
    const pool = async (connections: number): Promise<Connection> => {
      const connection = await connect({ ...place.options, maxConnections: connections });
      opened.push(connection);
      return connection;
    };
    const { database } = await pool(4);
    await setUp(database);
    const trueup = await openTrueup({ ...place.options, config, healer: false });
    try {
      const { options, environment } = place;
      await work({ database, trueup, options, environment, pool });
    } finally {
      await trueup.close();
    }
  } finally {
    for (const connection of opened) await disconnect(connection);
    await dropBenchDatabase(place, name);
  }
}

export { OWN_MAPPING };
