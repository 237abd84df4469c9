import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { migrateDatabase, OWN_MAPPING } from '../../src/index.js';
import { EmbeddedServer } from '../../src/postgres/embedded/server.js';
import { makeServerFolder } from './folder.js';
import { onServer, TEMPLATE, withDatabase } from './server-url.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a maintenance database on the server under test. */
    readonly serverUrl: string;
  }
}

/**
 * One server for all tests: the one in DATABASE_URL, or an embedded one in a folder of its own,
 * which goes away with the tests. The template holds Trueup's own tables with their sync.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined && given !== '') {
    await prepareTemplate(given);
    project.provide('serverUrl', given);
    return () => dropTemplate(given);
  }
  const home = makeServerFolder();
  const server = await EmbeddedServer.join(home);
  const { host } = await server.connection('postgres');
  const url = `postgres://trueup@/postgres?host=${encodeURIComponent(host ?? '')}`;
  await prepareTemplate(url);
  project.provide('serverUrl', url);
  return async () => {
    await server.leave();
    rmSync(home, { recursive: true, force: true });
  };
}

async function dropTemplate(serverUrl: string): Promise<void> {
  await onServer(serverUrl, `DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`);
}

async function prepareTemplate(serverUrl: string): Promise<void> {
  await dropTemplate(serverUrl);
  await onServer(serverUrl, `CREATE DATABASE ${TEMPLATE}`);
  await migrateDatabase({ databaseUrl: withDatabase(serverUrl, TEMPLATE), config: OWN_MAPPING });
}
