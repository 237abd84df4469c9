/**
 * Every error that Trueup raises by itself, with what it means. The list in docs/errors.md is
 * compared with this one by a test, in both directions.
 */
export const ERROR_MEANINGS = {
  amount_not_whole: 'The ledger holds an amount that is not a whole number of coins.',
  closed: 'This Trueup was closed, or is closing, and accepts nothing more.',
  config_exists: 'There is a mapping file already, and it was not overwritten.',
  config_invalid:
    'The mapping file is not valid JSON, or a part or a column is missing or unknown.',
  config_not_found: 'The mapping file that was named does not exist or cannot be read.',
  database_failed:
    'PostgreSQL refused a statement; the message carries its SQLSTATE and its words.',
  database_read_only:
    'The database takes no writes: a standby, or a session that is set to read only.',
  database_unreachable: 'No PostgreSQL server answered, or it refused the connection.',
  database_unsupported: 'The server is older than PostgreSQL 15.',
  embedded_failed: 'The embedded PostgreSQL could not be installed, started or joined.',
  entry_not_found: 'There is no such entry in the ledger.',
  feature_off: 'What was asked for needs a column or a part that the mapping does not name.',
  file_unreadable: 'The file does not exist, or cannot be read.',
  file_unwritable: 'The file could not be written, or its folder does not exist.',
  invalid_argument: 'An argument has a value that is not allowed.',
  mapping_mismatch:
    'The mapping names something that the database does not have, or not like this; or one column or table for two parts.',
  migration_changed: 'A migration that was applied differs from the file of the same number.',
  nothing_to_adopt: 'No tables of the database look like a ledger with wallets.',
  outcome_unknown:
    'The connection was lost at the commit, and it cannot be found out whether it happened.',
  overloaded: 'Too many postings wait already; nothing of the call was accepted.',
  permission_denied: 'The database role lacks a right that the command needs.',
  plan_altered: 'The plan is not as it was written: its checksum or its totals are others.',
  plan_foreign: 'The plan was made for another ledger, mapping, database or server.',
  plan_invalid: 'The file is no plan, or one of another version.',
  plan_truncated: 'The end of the plan is missing.',
  read_only: 'This Trueup was opened with readOnly, and the call would write.',
  run_changed:
    'The run cannot be resumed: its selection, mapping or triggers are not what they were.',
  run_lost: 'Another process has taken this run over, or ended it.',
  run_not_found: 'There is no such run of this ledger.',
  run_not_resumable: 'The run has finished, or is under way: there is nothing to resume.',
  run_not_running:
    'The run is not under way, or of a kind that does not listen (approve, apply, undo).',
  run_under_way: 'Another run over this ledger is under way.',
  schema_missing: 'The tables of Trueup are not in this database yet.',
  schema_newer: 'The database was migrated by a newer Trueup than this one.',
  sync_missing: 'The sync triggers of this mapping are not installed.',
  tables_busy:
    'The tables stayed locked by other transactions, so no trigger was installed or removed.',
  user_not_found: 'No profile belongs to this user.',
  wallet_not_found: 'There is no such wallet, or the user has none.',
} as const;

/** The stable code of an error. Messages may be reworded; codes are not. */
export type ErrorCode = keyof typeof ERROR_MEANINGS;

/** What may be told besides code and message. */
export interface ErrorDetails {
  /** What to do about it, as one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The one error class of Trueup: what happened, to what, and what to do. */
export class TrueupError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TrueupError';
    this.code = code;
    this.hint = details.hint;
  }
}

/** The message of anything that was thrown, for records and for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
