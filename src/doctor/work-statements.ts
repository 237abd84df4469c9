import type { Statement } from '../postgres/database.js';

/** Statements about Trueup's records: what waits, and what was not watched. */

export interface PlaceRow {
  readonly schemaExists: boolean;
  readonly tableExists: boolean;
  readonly readable: boolean;
  readonly role: string;
}

/** Whether a table of Trueup is there, and may be read. The catalog answers every role. */
export function placeOf(table: string): Statement {
  return {
    text: `SELECT n.oid IS NOT NULL AS "schemaExists", c.oid IS NOT NULL AS "tableExists",
                  coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), false) AS readable,
                  format('%I', current_user) AS role
             FROM (SELECT 1) AS one
             LEFT JOIN pg_namespace n ON n.nspname = 'trueup'
             LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $1`,
    values: [table],
  };
}

export interface GapRow {
  readonly what: string;
  readonly noticed: Date;
  readonly ended: Date | null;
}

/**
 * Spans without triggers that are open, or that no complete run of reconcile has followed which left
 * nothing unrepaired.
 */
export function gaps(ledger: string): Statement {
  return {
    text: `SELECT g.what, g.noticed_at AS noticed, g.ended_at AS ended
             FROM trueup.sync_gaps AS g
            WHERE g.ledger = $1
              AND (g.ended_at IS NULL
                   OR NOT EXISTS (SELECT FROM trueup.sync_installations AS i
                                   WHERE i.ledger = g.ledger AND i.verified_at >= g.ended_at)
                  AND NOT EXISTS (SELECT FROM trueup.runs AS r
                                   WHERE r.ledger = g.ledger AND r.kind = 'reconcile' AND r.exit_status = 0
                                     AND r.started_at >= g.ended_at AND (r.options ->> 'all')::boolean))
            ORDER BY g.noticed_at`,
    values: [ledger],
  };
}

export interface OverdueRow {
  readonly holds: string;
  readonly coins: string;
  readonly oldest: Date | null;
}

/** Open holds whose time has been over for longer than the healer takes. */
export function overdueHolds(ledger: string, graceSeconds: number): Statement {
  return {
    text: `SELECT count(*)::text AS holds, coalesce(sum(held), 0)::text AS coins, min(expires_at) AS oldest
             FROM trueup.holds
            WHERE ledger = $1 AND state = 'open'
              AND expires_at < clock_timestamp() - make_interval(secs => $2)`,
    values: [ledger, graceSeconds],
  };
}

export interface WaitingWorkRow {
  readonly waiting: string;
  readonly oldest: Date | null;
}

/** Marks of profiles that no worker has carried for so many seconds. */
export function waitingMarks(ledger: string, graceSeconds: number): Statement {
  return {
    text: `SELECT count(*)::text AS waiting, min(marked_at) AS oldest FROM trueup.profile_marks
            WHERE ledger = $1 AND marked_at < clock_timestamp() - make_interval(secs => $2)`,
    values: [ledger, graceSeconds],
  };
}

/** Events that the activity table of the application did not take. */
export function waitingEvents(ledger: string): Statement {
  return {
    text: `SELECT count(*)::text AS waiting, min(failed_at) AS oldest FROM trueup.activity_failures
            WHERE ledger = $1 AND healed_at IS NULL`,
    values: [ledger],
  };
}

/** The rights that lie in a schema and in one of its tables, as GRANTs. */
export function grantsToRead(table: string, role: string): string {
  return `GRANT USAGE ON SCHEMA trueup TO ${role}; GRANT SELECT ON trueup.${table} TO ${role}`;
}
