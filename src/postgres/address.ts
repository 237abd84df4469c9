import pg from 'pg';
import { unreachable } from './failures.js';

/** What the driver understands: a URL, or a path to a socket. It takes any other text for a database's name. */
const ADDRESS = /^(postgres(ql)?:\/\/|socket:|\/)/i;

/** Modes that the driver takes for `verify-full`, with a warning at length about what it may do some day. */
const AS_VERIFY_FULL = /([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/;

/**
 * The connection that a URL names, as the driver is given it.
 *
 * @throws TrueupError `database_unreachable`: the URL cannot be read, and what to do with it
 */
export function readied(connection: pg.PoolConfig): pg.PoolConfig {
  const { connectionString } = connection;
  if (connectionString === undefined) return connection;
  if (!ADDRESS.test(connectionString)) {
    throw unreachable('its URL does not begin with postgres://');
  }
  const plain = /[?&]uselibpqcompat=true(&|$)/.test(connectionString)
    ? connectionString
    : connectionString.replace(AS_VERIFY_FULL, '$1verify-full');
  const ready = { ...connection, connectionString: plain };
  refuseUnreadable(ready);
  return ready;
}

function refuseUnreadable(connection: pg.PoolConfig): void {
  let user: string | undefined;
  try {
    user = userOf(connection);
  } catch (error) {
    if (!(error instanceof URIError) && !isInvalidUrl(error)) throw error;
    throw unreachable('its URL cannot be read', error, ENCODED);
  }
  if (user !== undefined) return;
  throw unreachable('nothing says as whom', undefined, NAMED);
}

const ENCODED =
  'Check DATABASE_URL (or --database-url): in a user or password write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23 and % as %25; a port is a number up to 65535.';

const NAMED =
  'Check DATABASE_URL (or --database-url): write the user into it (postgres://USER@HOST/DATABASE), or set PGUSER.';

function isInvalidUrl(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_URL';
}

/** Whom the driver connects as: the URL, the environment or the system says so. */
export function userOf(connection: pg.PoolConfig): string | undefined {
  return new pg.Client(connection).user;
}
