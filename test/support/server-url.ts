import pg from 'pg';

/** The database that every test database of Trueup's own tables is copied from. */
export const TEMPLATE = 'trueup_test_template';

/** The same server, another database. */
export function withDatabase(serverUrl: string, database: string): string {
  return serverUrl.replace(/^([a-z]+:\/\/[^/]*\/)[^?]*/, `$1${database}`);
}

/** The same database, another user. */
export function withUser(url: string, user: string): string {
  return url.replace(/^([a-z]+:\/\/)(?:[^@/]*@)?/, `$1${user}@`);
}

/** Runs one statement on the maintenance database. */
export async function onServer(serverUrl: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
