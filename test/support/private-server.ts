import { rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { afterAll } from 'vitest';
import { EmbeddedServer } from '../../src/postgres/embedded/server.js';
import { TestDatabase } from './database.js';
import { makeFolder } from './folder.js';
import { onServer, withDatabase } from './server-url.js';

/** A server for one test file alone, which may change its settings. */
export interface PrivateServer {
  /** The folder of its socket. */
  readonly host: string;
  /** An empty database on it. */
  database(): Promise<TestDatabase>;
}

/**
 * Starts a server of its own with these settings, which are of the kind that needs a restart. It goes
 * away after the file. To be called at the top of a file.
 */
export async function privateServer(
  settings: Readonly<Record<string, string>>,
): Promise<PrivateServer> {
  const home = makeFolder('private');
  const first = await EmbeddedServer.join(home);
  const { host = '' } = await first.connection('postgres');
  const url = `postgres://trueup@/postgres?host=${encodeURIComponent(host)}`;
  for (const [name, value] of Object.entries(settings)) {
    await onServer(url, `ALTER SYSTEM SET ${name} = '${value}'`);
  }
  await first.leave();
  const server = await EmbeddedServer.join(home);
  const databases: TestDatabase[] = [];
  afterAll(async () => {
    for (const database of databases) await database.drop(url);
    await server.leave();
    rmSync(home, { recursive: true, force: true });
  });
  return {
    host,
    database: async () => {
      const name = `trueup_test_${randomBytes(6).toString('hex')}`;
      await onServer(url, `CREATE DATABASE ${name}`);
      const database = new TestDatabase(name, withDatabase(url, name));
      databases.push(database);
      return database;
    },
  };
}
