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
