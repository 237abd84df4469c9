import { connect, disconnect } from '../engine/connect.js';
import type { TrueupOptions } from '../engine/options.js';
import { quoteIdentifier } from '../postgres/identifiers.js';

/** Where a benchmark's database is. */
export interface Place {
  readonly options: TrueupOptions;
  /** For a child process that is to work on the same database. */
  readonly environment: Readonly<Record<string, string>>;
  readonly maintenance: TrueupOptions;
}

/** Creates a database for a benchmark beside the given one, or on the embedded server. */
export async function createBenchDatabase(url: string | undefined, name: string): Promise<Place> {
  const given = url ?? process.env['DATABASE_URL'] ?? '';
  const place: Place =
    given === ''
      ? {
          options: { databaseUrl: '', embeddedDatabase: name },
          environment: { DATABASE_URL: '', TRUEUP_DATABASE: name },
          maintenance: { databaseUrl: '' },
        }
      : {
          options: { databaseUrl: besides(given, name) },
          environment: { DATABASE_URL: besides(given, name) },
          maintenance: { databaseUrl: given },
        };
  await onServer(place.maintenance, `CREATE DATABASE ${quoteIdentifier(name)}`);
  return place;
}

/** Drops it again. */
export async function dropBenchDatabase(place: Place, name: string): Promise<void> {
  await onServer(
    place.maintenance,
    `DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`,
  );
}

/** The same server, another database. (Not by `URL`: it knows none without a host, as sockets have.) */
function besides(url: string, database: string): string {
  return url.replace(/^([a-z]+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${database}`);
}

async function onServer(options: TrueupOptions, text: string): Promise<void> {
  const connection = await connect(options);
  try {
    await connection.database.query({ text });
  } finally {
    await disconnect(connection);
  }
}
