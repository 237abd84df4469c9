import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements about users and runs. Ids travel as text and are cast to their type. */

export interface UserRow {
  /** As it was asked for. */
  readonly userId: string;
  readonly known: boolean;
  readonly walletId: string | null;
}

/** The wallets of these users; one row at least for each, also for those that nobody knows. */
export function walletsOfUsers(
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Statement | undefined {
  const { wallet, profile } = mapping;
  if (profile?.user === undefined) return undefined;
  const { user } = profile;
  return {
    text: `SELECT u.given AS "userId", p.${profile.id.quoted} IS NOT NULL AS known,
                  w.${wallet.id.quoted}::text AS "walletId"
             FROM unnest($1::text[]) AS u (given)
             LEFT JOIN ${profile.table.quoted} AS p ON p.${user.quoted} = u.given::${user.baseType}
             LEFT JOIN ${wallet.table.quoted} AS w ON w.${profile.link.quoted} = p.${profile.id.quoted}
            ORDER BY w.${wallet.id.quoted}`,
    values: [userIds],
  };
}

export interface RunRecord {
  readonly id: string;
  readonly kind: 'heal' | 'service' | 'approve' | 'apply' | 'undo';
  readonly ledger: string;
  readonly options: object;
  readonly version: string;
  /** Where the process runs that does it, and its id there. */
  readonly host?: string;
  readonly process?: number;
}

export function startRun(run: RunRecord): Statement {
  return {
    text: `INSERT INTO trueup.runs (id, kind, ledger, options, version, host, process)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      ...[run.id, run.kind, run.ledger, JSON.stringify(run.options), run.version],
      ...[run.host ?? null, run.process ?? null],
    ],
  };
}

export function finishRun(id: string, exitStatus: number | null, counts: object): Statement {
  return {
    text: `UPDATE trueup.runs
              SET state = 'finished', finished_at = clock_timestamp(), exit_status = $2, counts = $3 WHERE id = $1`,
    values: [id, exitStatus, JSON.stringify(counts)],
  };
}

/**
 * The time before which everything is committed that a statement from now on can meet: what was begun
 * earlier by others, as far as this role may see it, is still open.
 */
export const settledSince: Statement = {
  text: `SELECT least(clock_timestamp(), min(xact_start))::text AS since
           FROM pg_stat_activity WHERE datname = current_database()`,
};

/** On record: every cache of a ledger was right at this time, or was made right later. */
export function markVerified(ledger: string, since: string): Statement {
  return {
    text: `UPDATE trueup.sync_installations SET verified_at = greatest(verified_at, $2::timestamptz)
            WHERE ledger = $1`,
    values: [ledger, since],
  };
}
