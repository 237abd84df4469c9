import { orderOf } from '../ledger/reads/order.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { SYNC_TRIGGER } from '../mapping/names.js';
import type { Statement } from '../postgres/database.js';
import { asText } from './generate-truth.js';

/** Statements about what Trueup has recorded of a ledger and of drifted wallets. They only read. */

/** Failures, gaps and writes of one kind that are told. */
const MOST_FAILURES = 20;
const MOST_GAPS = 20;
const LAST_WRITES = 5;

/** Which of Trueup's records this role can read here, and how the ledger can be read. */
export interface Sources {
  readonly failures: boolean;
  readonly installations: boolean;
  readonly writes: boolean;
  readonly gaps: boolean;
  readonly repairs: boolean;
  readonly holds: boolean;
  /** An index gives the entries of a wallet in their order. */
  readonly ordered: boolean;
}

/**
 * Asks the catalog, which every role may. The columns of sync_installations that are needed came with
 * the table of cache writes, so an older schema is read as if nothing were recorded.
 */
export function readableSources(mapping: ResolvedMapping): Statement {
  const readable = (table: string): string => `coalesce((
         SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'trueup' AND c.relname = '${table}' AND c.relkind = 'r'), false)`;
  return {
    text: `SELECT ${readable('sync_failures')} AS failures,
       ${readable('sync_installations')} AND ${readable('cache_writes')} AS installations,
       ${readable('cache_writes')} AS writes, ${readable('sync_gaps')} AS gaps,
       ${readable('repairs')} AND ${readable('runs')} AS repairs, ${readable('holds')} AS holds,
       EXISTS (SELECT FROM pg_index i
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                 JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1]
                WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL
                  AND a.attname = $2 AND b.attname = $3) AS ordered`,
    values: [mapping.ledger.table.oid, mapping.ledger.wallet.name, orderOf(mapping)[0]?.name],
  };
}

/** A time as text that compares as the time does. */
export function instant(time: string): string {
  return `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/**
 * What is on record about the ledger as a whole: one row.
 *
 * @param run a run whose repairs are not asked for
 */
export function ledgerRecords(
  mapping: ResolvedMapping,
  sources: Sources,
  run: string | null,
): Statement {
  const any = (from: string): string => `EXISTS (SELECT FROM ${from})`;
  return {
    text: `SELECT ${instant('i.installed_at')} AS "installedAt", ${instant('i.verified_at')} AS "verifiedAt",
       ${sources.gaps ? gaps : 'NULL::json'} AS gaps,
       (SELECT t.tgenabled::text FROM pg_trigger t WHERE t.tgrelid = $2::oid AND t.tgname = '${SYNC_TRIGGER}') AS enabled,
       ${sources.failures ? any('trueup.sync_failures WHERE ledger = $1 AND healed_at IS NULL') : 'false'} AS failures,
       ${sources.writes ? any(`trueup.cache_writes WHERE ledger = $1 AND action = 'recorded'`) : 'false'} AS writes,
       ${sources.repairs ? any('trueup.runs WHERE ledger = $1 AND id IS DISTINCT FROM $3::uuid') : 'false'} AS repairs,
       ${instant('clock_timestamp()')} AS now
  FROM (SELECT $1::text AS ledger, $3::uuid AS run) AS l
  LEFT JOIN (${sources.installations ? installation : noInstallation}) AS i ON i.ledger = l.ledger`,
    values: [mapping.ledger.table.quoted, mapping.ledger.table.oid, run],
  };
}

const installation = 'SELECT ledger, installed_at, verified_at FROM trueup.sync_installations';
const noInstallation =
  'SELECT NULL::text AS ledger, NULL::timestamptz AS installed_at, NULL::timestamptz AS verified_at';

/**
 * What is on record about wallets: one row for each of which anything is.
 *
 * @param since.verifiedAt when all caches of the ledger were last known to be right
 * @param since.run the run that has just repaired these wallets: its own repairs are not what is asked for
 */
export function records(
  mapping: ResolvedMapping,
  sources: Pick<Sources, 'failures' | 'writes' | 'repairs'>,
  wallets: readonly { readonly walletId: string; readonly profileId: string | null }[],
  since: { readonly verifiedAt: string | null; readonly run: string | null },
): Statement {
  const repaired = sources.repairs
    ? `(SELECT max(p.repaired_at) FROM trueup.repairs p
          WHERE p.wallet_id = s.wallet AND p.run_id IS DISTINCT FROM $5::uuid AND p.cause <> 'undone'
            AND EXISTS (SELECT FROM trueup.runs r WHERE r.id = p.run_id AND r.ledger = $3))`
    : 'NULL::timestamptz';
  return {
    text: `SELECT s.wallet AS "walletId", ${instant('r.right_at')} AS "rightAt", f.failures, w.writes
  FROM unnest($1::text[], $2::text[]) AS s (wallet, profile)
 CROSS JOIN LATERAL (SELECT greatest($4::timestamptz, ${repaired}) AS right_at OFFSET 0) AS r
 CROSS JOIN LATERAL (${sources.failures ? failures : 'SELECT NULL::json AS failures'}) AS f
 CROSS JOIN LATERAL (${sources.writes ? writes : 'SELECT NULL::json AS writes'}) AS w
 CROSS JOIN (SELECT $3::text AS ledger, $5::uuid AS run) AS given
 WHERE r.right_at IS DISTINCT FROM $4 OR f.failures IS NOT NULL OR w.writes IS NOT NULL`,
    values: [
      wallets.map(({ walletId }) => walletId),
      wallets.map(({ profileId }) => profileId),
      mapping.ledger.table.quoted,
      since.verifiedAt,
      since.run,
    ],
  };
}

const gaps = `(SELECT json_agg(json_build_object('what', g.what, 'lastSeenAt', ${instant('g.last_seen_at')},
                  'noticedAt', ${instant('g.noticed_at')}, 'endedAt', ${instant('g.ended_at')}) ORDER BY g.id DESC)
          FROM (SELECT * FROM trueup.sync_gaps WHERE ledger = $1 ORDER BY id DESC LIMIT ${String(MOST_GAPS)}) AS g)`;

const failures = `SELECT json_agg(json_build_object('id', f.id::text, 'sqlState', f.sqlstate, 'message', f.message,
                  'failedAt', ${instant('f.failed_at')}, 'transaction', f.writer::xid::text) ORDER BY f.id DESC) AS failures
          FROM (SELECT * FROM trueup.sync_failures
                 WHERE ledger = $3 AND wallet_id = s.wallet AND healed_at IS NULL
                   AND failed_at > coalesce(r.right_at, '-infinity')
                 ORDER BY id DESC LIMIT ${String(MOST_FAILURES)}) AS f`;

const NUMBER = `'^-?[0-9]+([.][0-9]+)?$'`;
const numbers = `c.old_value ~ ${NUMBER} AND c.new_value ~ ${NUMBER}`;

/** Writes that were kept out changed nothing, so they explain nothing. */
const writes = `SELECT json_agg(json_build_object('part', g.part, 'field', g.field, 'change', g.change,
                  'count', g.count, 'last', g.last)) AS writes
          FROM (SELECT c.part, c.field, count(*)::text AS count,
                       CASE WHEN bool_and(coalesce(${numbers}, false))
                            THEN ${asText(`sum(CASE WHEN ${numbers} THEN c.new_value::numeric - c.old_value::numeric END)`)} END AS change,
                       json_agg(json_build_object('id', c.id::text, 'role', c.role, 'applicationName', c.application_name,
                         'writtenAt', ${instant('c.written_at')}, 'oldValue', c.old_value, 'newValue', c.new_value,
                         'transaction', c.writer::xid::text) ORDER BY c.id DESC)
                         FILTER (WHERE c.place <= ${String(LAST_WRITES)}) AS last
                  FROM (SELECT c.*, row_number() OVER (PARTITION BY c.part, c.field ORDER BY c.id DESC) AS place
                          FROM (VALUES ('wallet', s.wallet), ('profile', s.profile)) AS v (part, row_id)
                          JOIN trueup.cache_writes c ON c.part = v.part AND c.row_id = v.row_id
                         WHERE c.ledger = $3 AND c.action = 'recorded'
                           AND c.written_at > coalesce(r.right_at, '-infinity')) AS c
                 GROUP BY c.part, c.field) AS g`;
