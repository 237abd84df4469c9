import { asText } from './generate-truth.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { instant, type Sources } from './records-statements.js';

/** Statements behind `explain`: everything on record about one wallet, healed and kept or not. */

/** Records of a kind that are told, the newest first. */
const LAST_RECORDS = 10;

/** Entries that are shown before a place, and from it on. */
const BEFORE = 3;
const FROM = 4;

/** The records of one wallet, as one row of JSON. */
export function story(
  mapping: ResolvedMapping,
  sources: Sources,
  ids: { readonly walletId: string | null; readonly profileId: string | null },
): Statement {
  const list = (readable: boolean, members: string, from: string, order: string): string =>
    readable
      ? `coalesce((SELECT json_agg(json_build_object(${members})) FROM (SELECT * FROM ${from} ORDER BY ${order} DESC LIMIT ${String(LAST_RECORDS)}) AS r), '[]')`
      : `'[]'::json`;
  return {
    text: `SELECT ${list(sources.writes, WRITE, WRITES, 'id')} AS writes,
       ${list(sources.failures, FAILURE, FAILURES, 'id')} AS failures,
       ${list(sources.gaps, GAP, 'trueup.sync_gaps WHERE ledger = $1', 'id')} AS gaps,
       ${list(sources.repairs, REPAIR, REPAIRS, 'repaired_at')} AS repairs,
       ${sources.installations ? INSTALLATION : 'NULL::json'} AS installation,
       ${instant('statement_timestamp()')} AS "takenAt"
  FROM (SELECT $1::text AS ledger, $2::text AS wallet, $3::text AS profile) AS given`,
    values: [mapping.ledger.table.quoted, ids.walletId, ids.profileId],
  };
}

const WRITES = `(SELECT c.* FROM (VALUES ('wallet', $2), ('profile', $3)) AS v (part, row_id)
                  JOIN trueup.cache_writes c ON c.ledger = $1 AND c.part = v.part AND c.row_id = v.row_id) AS c`;
const WRITE = `'id', r.id::text, 'part', r.part, 'field', r.field, 'oldValue', r.old_value, 'newValue', r.new_value, 'action', r.action,
         'role', r.role, 'applicationName', r.application_name, 'writtenAt', ${instant('r.written_at')}`;

const FAILURES = 'trueup.sync_failures WHERE ledger = $1 AND wallet_id = $2';
const FAILURE = `'id', r.id::text, 'sqlState', r.sqlstate, 'message', r.message, 'failedAt', ${instant('r.failed_at')},
         'attempts', r.attempts, 'lastError', r.last_error, 'healedAt', ${instant('r.healed_at')}`;

const GAP = `'what', r.what, 'lastSeenAt', ${instant('r.last_seen_at')}, 'noticedAt', ${instant('r.noticed_at')},
         'endedAt', ${instant('r.ended_at')}`;

const REPAIRS = `(SELECT p.*, u.kind FROM trueup.repairs p JOIN trueup.runs u ON u.id = p.run_id
                  WHERE u.ledger = $1 AND p.wallet_id = $2) AS p`;
const REPAIR = `'runId', r.run_id, 'kind', r.kind, 'cause', r.cause, 'changes', r.changes,
         'repairedAt', ${instant('r.repaired_at')}`;

const INSTALLATION = `(SELECT json_build_object('installedAt', ${instant('i.installed_at')}, 'installedBy', i.installed_by,
         'removedAt', ${instant('i.removed_at')}, 'verifiedAt', ${instant('i.verified_at')}, 'guard', i.guard)
          FROM trueup.sync_installations i WHERE i.ledger = $1)`;

/** One entry as a story shows it. */
export interface EntryRow {
  readonly id: string;
  readonly sequence: string | null;
  readonly amount: string;
  readonly balanceAfter: string | null;
  readonly reason: string | null;
  readonly createdAt: string | null;
}

/**
 * The entries around the place of an entry, oldest first: three before it, itself, and three behind it.
 * Without a place the last few. The places are those of the running balance: number, else id.
 */
export function entriesAround(
  mapping: ResolvedMapping,
  walletId: string,
  place: string | undefined,
): Statement {
  const { ledger, wallet } = mapping;
  const key = ledger.sequence ?? ledger.id;
  const text = (column: typeof key | undefined, cast: (value: string) => string): string =>
    column === undefined ? 'NULL' : cast(`e.${column.quoted}`);
  const columns = `e.${key.quoted} AS place, e.${ledger.id.quoted}::text AS id, ${text(ledger.sequence, (value) => `${value}::text`)} AS sequence,
         ${asText(`coalesce(e.${ledger.amount.quoted}, 0)`)} AS amount, ${text(ledger.balanceAfter, asText)} AS "balanceAfter",
         ${text(ledger.reason, (value) => `${value}::text`)} AS reason, ${text(ledger.createdAt, (value) => instant(`${value}::timestamptz`))} AS "createdAt"`;
  const some = (condition: string, direction: string, limit: number): string =>
    `(SELECT ${columns} FROM ${ledger.table.quoted} AS e
       WHERE e.${ledger.wallet.quoted} = $1::${wallet.id.baseType}${condition} ORDER BY e.${key.quoted} ${direction} LIMIT ${String(limit)})`;
  const told = 'x.id, x.sequence, x.amount, x."balanceAfter", x.reason, x."createdAt"';
  return place === undefined
    ? {
        text: `SELECT ${told} FROM ${some('', 'DESC', BEFORE + FROM)} AS x ORDER BY x.place`,
        values: [walletId],
      }
    : {
        text: `SELECT ${told} FROM (${some(` AND e.${key.quoted} < $2::${key.baseType}`, 'DESC', BEFORE)}
          UNION ALL ${some(` AND e.${key.quoted} >= $2::${key.baseType}`, 'ASC', FROM)}) AS x ORDER BY x.place`,
        values: [walletId, place],
      };
}

/** The profile of a user, where he has no wallet, or what it shows beside. */
export function profileOfUser(mapping: ResolvedMapping, userId: string): Statement | undefined {
  const { profile } = mapping;
  if (profile?.user === undefined) return undefined;
  return {
    text: `SELECT p.${profile.id.quoted}::text AS "profileId" FROM ${profile.table.quoted} AS p
            WHERE p.${profile.user.quoted} = $1::${profile.user.baseType}`,
    values: [userId],
  };
}
