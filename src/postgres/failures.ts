import pg from 'pg';
import { TrueupError, messageOf } from '../core/errors.js';
import { grantFor } from './grant-statements.js';

/** SQLSTATEs after which the same transaction, tried again, can succeed, and why. */
const RETRYABLE: Readonly<Record<string, string>> = {
  '40001': 'serialization failure: another transaction committed first',
  '40P01': 'deadlock: this transaction was the victim',
  '55P03': 'lock not available within lock_timeout',
};

/**
 * SQLSTATE of an error that PostgreSQL reported, also as the cause of another error, or undefined for
 * any other error. Errors of PostgreSQL have a severity; their class says nothing: a client that an
 * application lends may come from another copy of the driver.
 */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('severity' in error && 'code' in error && typeof error.code === 'string') return error.code;
  return sqlStateOf(error.cause);
}

/**
 * A race inside PostgreSQL (seen on 17 and 18): a transaction that updated a row rolls back while
 * others hold a key-share lock on it, as immediate foreign keys do; whoever updates the row in that
 * instant is told this. Nothing is damaged, and a moment later the same statement succeeds.
 */
const MULTIXACT_RACE = 'new multixact has more than one updating member';

/** Whether the transaction that failed like this may simply be tried again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === undefined) return false;
  return (
    state in RETRYABLE || (state === 'XX000' && databaseMessage(error).startsWith(MULTIXACT_RACE))
  );
}

function databaseMessage(error: unknown): string {
  return messageOf(error instanceof TrueupError ? error.cause : error);
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EACCES',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ERR_INVALID_URL',
  'ETIMEDOUT',
  'EAI_AGAIN',
]);

/** SQLSTATE classes and codes that say that the connection, not the statement, is the trouble. */
const CONNECTION_STATES = /^(08...|57P0.|28...|3D000|53300)$/;

/** What the driver says of a login that it cannot finish, and of a connection that is gone or was used after its end. */
const CONNECTION_WORDS =
  /^(SASL: |Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** Whether the connection is gone or was never made, so that nothing more can be done on it. */
export function isConnectionFailure(error: unknown): boolean {
  if (error instanceof TrueupError) return error.code === 'database_unreachable';
  const state = sqlStateOf(error);
  if (state !== undefined) return CONNECTION_STATES.test(state);
  if (error instanceof AggregateError) return error.errors.some(isConnectionFailure);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return true;
  return CONNECTION_WORDS.test(error.message);
}

/** SQLSTATE classes of faults that lie in one user's data, so that the others can be served. */
const FAULTS_OF_ONE_USER = /^(22|23|44|55P03|57014|P0|TU)/;

/** Whether a set of users failed for one of them, so that taking it apart helps the others. */
export function isFaultOfOneUser(error: unknown): boolean {
  if (isConnectionFailure(error)) return false;
  return isRetryable(error) || FAULTS_OF_ONE_USER.test(sqlStateOf(error) ?? '');
}

const WHERE =
  'Check DATABASE_URL (or --database-url) and that the server runs; without a URL Trueup starts its own.';

/** That there is no way to the database, and what to do. */
export function unreachable(reason: string, cause?: unknown, hint = WHERE): TrueupError {
  return new TrueupError('database_unreachable', `cannot reach the database: ${reason}`, {
    hint,
    cause,
  });
}

/** Whether row-level security would have hidden rows, by the place in the server that said so. */
function isHiddenByPolicies(error: unknown): boolean {
  return error instanceof Error && 'routine' in error && error.routine === 'check_enable_rls';
}

/** What was sent when a driver call threw, and by whom. */
export interface Sent {
  readonly text: string;
  readonly role: () => string | undefined;
}

/** The right that is missing, as a GRANT where it can be known. */
function rightHint(error: unknown, sent: Sent | undefined): string {
  if (isHiddenByPolicies(error)) {
    return 'Trueup has to see every row. Give its role BYPASSRLS, or let it own the tables.';
  }
  const [text, role] = [sent?.text, sent?.role()];
  const grant =
    text === undefined || role === undefined
      ? undefined
      : grantFor({ message: messageOf(error), text, role });
  return (
    grant ??
    'A dry run needs SELECT on the mapped tables; repairing and installing need more. trueup doctor tells which.'
  );
}

/**
 * Turns whatever a driver call threw into a TrueupError with a stable code.
 *
 * @param sent the statement that failed, where it is known
 */
export function toTrueupError(error: unknown, sent?: Sent): TrueupError {
  if (error instanceof TrueupError) return error;
  if (isConnectionFailure(error)) return unreachable(words(error), error);
  const state = sqlStateOf(error);
  if (state === '42501') {
    return new TrueupError('permission_denied', `the database refused: ${messageOf(error)}`, {
      hint: rightHint(error, sent),
      cause: error,
    });
  }
  if (state === '25006') {
    return new TrueupError('database_read_only', `the database takes no writes: ${words(error)}`, {
      hint: 'Connect to the primary, and see default_transaction_read_only. On a standby only a dry run is possible.',
      cause: error,
    });
  }
  if (state !== undefined) {
    return new TrueupError('database_failed', `PostgreSQL said: ${words(error)} (${state})`, {
      cause: error,
    });
  }
  return new TrueupError('database_failed', messageOf(error), { cause: error });
}

function words(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (error instanceof pg.DatabaseError && error.detail !== undefined) {
    return `${error.message}: ${error.detail}`;
  }
  return messageOf(error);
}
