import { tablesOf } from '../sync/triggers.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements about the verified point of a ledger. */

export interface WatermarkRow {
  /** Every transaction with a lower id had ended. */
  readonly xid: string;
  /** The id that the next transaction gets. */
  readonly next: string;
  readonly at: string;
  /** Whether this role may ask for the identifier of the server. */
  readonly identified: boolean;
}

export const watermark: Statement = {
  text: `SELECT pg_snapshot_xmin(s)::text AS xid, pg_snapshot_xmax(s)::text AS next, clock_timestamp()::text AS at,
                has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS identified
           FROM pg_current_snapshot() AS s`,
};

export const systemIdentifier: Statement = {
  text: 'SELECT system_identifier::text AS "systemId" FROM pg_catalog.pg_control_system()',
};

export interface HolderRow {
  /** null: a prepared transaction, which no session holds. */
  readonly pid: number | null;
  /** Of a prepared transaction. */
  readonly name: string | null;
  readonly transactions: number;
  /** null: this role may not see when it began. */
  readonly seconds: string | null;
}

/**
 * The oldest transaction with an id, in whatever database: no watermark passes it. A prepared one holds
 * like any other.
 */
export const holder: Statement = {
  text: `SELECT h.pid, h.name, h.transactions, greatest(extract(epoch FROM clock_timestamp() - h.since), 0)::text AS seconds
           FROM (SELECT pid, NULL AS name, age(backend_xid) AS transactions, xact_start AS since
                   FROM pg_stat_activity WHERE backend_xid IS NOT NULL
                  UNION ALL
                 SELECT NULL, gid, age(transaction), prepared FROM pg_prepared_xacts) AS h
          ORDER BY h.transactions DESC LIMIT 1`,
};

export interface CheckpointRow {
  readonly xid: string;
  readonly systemId: string | null;
  readonly fingerprint: string;
}

/** Whether there are checkpoints, and this role may read them: a dry run works without. */
export const checkpointsReadable: Statement = {
  text: `SELECT count(*) = 3 AS readable FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = 'trueup' AND c.relname IN ('checkpoints', 'verified_ranges', 'findings')
            AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')`,
};

export function readCheckpoint(ledger: string): Statement {
  return {
    text: `SELECT watermark::text AS xid, system_id::text AS "systemId", fingerprint
             FROM trueup.checkpoints WHERE ledger = $1`,
    values: [ledger],
  };
}

export function saveCheckpoint(
  ledger: string,
  point: CheckpointRow & { readonly at: string; readonly runId: string },
): Statement {
  return {
    text: `INSERT INTO trueup.checkpoints (ledger, watermark, system_id, fingerprint, verified_at, run_id)
           VALUES ($1, $2::xid8, $3, $4, $5, $6)
           ON CONFLICT (ledger) DO UPDATE
              SET (watermark, system_id, fingerprint, verified_at, run_id)
                = (excluded.watermark, excluded.system_id, excluded.fingerprint, excluded.verified_at, excluded.run_id)`,
    values: [ledger, point.xid, point.systemId, point.fingerprint, point.at, point.runId],
  };
}

/**
 * All that decides whether every change since a watermark can be seen by transaction ids: Trueup's triggers
 * (one that was switched off and on again has another row in the catalog), their functions, and where each
 * table keeps its rows (TRUNCATE, a rewrite, and a partition that is attached or detached change that).
 */
export function foundations(mapping: ResolvedMapping): Statement {
  return {
    text: `WITH RECURSIVE parts AS (
             SELECT unnest($1::oid[]) AS oid
              UNION
             SELECT i.inhrelid FROM pg_inherits AS i JOIN parts AS p ON p.oid = i.inhparent)
           SELECT concat_ws(' ', 'table', c.oid, c.relfilenode) AS line FROM pg_class AS c JOIN parts USING (oid)
            UNION ALL
           SELECT concat_ws(' ', 'trigger', t.tgrelid, t.tgname, t.tgenabled, t.xmin, f.xmin,
                            md5(pg_get_triggerdef(t.oid)), md5(f.prosrc))
             FROM pg_trigger AS t JOIN parts AS p ON p.oid = t.tgrelid
             JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS n ON n.oid = f.pronamespace
            WHERE NOT t.tgisinternal AND n.nspname = 'trueup'
            ORDER BY line`,
    values: [tablesOf(mapping).map(({ oid }) => oid)],
  };
}
