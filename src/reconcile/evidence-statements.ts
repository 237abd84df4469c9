import { orderBy, orderOf } from '../ledger/reads/order.js';
import { earns } from '../mapping/expressions.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { SYNC_TRIGGER } from '../mapping/names.js';
import type { Statement } from '../postgres/database.js';
import { asText } from './generate-truth.js';

/**
 * Statements that gather what is on record about drifted wallets: a fixed number of them, however many
 * wallets are asked about. They only read.
 */

/** The last entries of a wallet that are looked at one by one; more are only ever added up. */
export const LAST_ENTRIES = 64;

/** Failures, gaps and writes of one kind that are told. */
const MOST_FAILURES = 20;
const MOST_GAPS = 20;
const LAST_WRITES = 5;

/** Breaks of one running balance that are told. */
const MOST_BREAKS = 10;

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

/** What Trueup has recorded about wallets: one row each. */
export function records(
  mapping: ResolvedMapping,
  sources: Sources,
  wallets: readonly { readonly walletId: string; readonly profileId: string | null }[],
): Statement {
  const repaired = sources.repairs
    ? `(SELECT max(p.repaired_at) FROM trueup.repairs p
          WHERE p.wallet_id = s.wallet AND EXISTS (SELECT FROM trueup.runs r WHERE r.id = p.run_id AND r.ledger = $3))`
    : 'NULL::timestamptz';
  return {
    text: `WITH i AS MATERIALIZED (${sources.installations ? installation : 'SELECT NULL::timestamptz AS installed_at, NULL::timestamptz AS verified_at'})
SELECT s.wallet AS "walletId", ${instant('i.installed_at')} AS "installedAt", ${instant('r.right_at')} AS "rightAt",
       f.failures, w.writes, ${sources.gaps ? gaps : 'NULL::json'} AS gaps,
       (SELECT t.tgenabled::text FROM pg_trigger t WHERE t.tgrelid = $4::oid AND t.tgname = '${SYNC_TRIGGER}') AS enabled,
       ${instant('clock_timestamp()')} AS now
  FROM unnest($1::text[], $2::text[]) AS s (wallet, profile)
 CROSS JOIN i
 CROSS JOIN LATERAL (SELECT greatest(i.verified_at, ${repaired}) AS right_at) AS r
 CROSS JOIN LATERAL (${sources.failures ? failures : 'SELECT NULL::json AS failures'}) AS f
 CROSS JOIN LATERAL (${sources.writes ? writes : 'SELECT NULL::json AS writes'}) AS w
 WHERE $3::text IS NOT NULL`,
    values: [
      wallets.map(({ walletId }) => walletId),
      wallets.map(({ profileId }) => profileId),
      mapping.ledger.table.quoted,
      mapping.ledger.table.oid,
    ],
  };
}

const installation = `SELECT max(installed_at) AS installed_at, max(verified_at) AS verified_at
          FROM trueup.sync_installations WHERE ledger = $3`;

const gaps = `(SELECT json_agg(json_build_object('what', g.what, 'lastSeenAt', ${instant('g.last_seen_at')},
                  'noticedAt', ${instant('g.noticed_at')}, 'endedAt', ${instant('g.ended_at')}) ORDER BY g.id DESC)
          FROM (SELECT * FROM trueup.sync_gaps WHERE ledger = $3 ORDER BY id DESC LIMIT ${String(MOST_GAPS)}) AS g)`;

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

/** The columns of one entry (alias e) as a JSON array: id, amount, earned, time, transaction. */
function entryTexts(mapping: ResolvedMapping): string {
  const { id, amount, createdAt } = mapping.ledger;
  const coins = `coalesce(e.${amount.quoted}, 0)`;
  const time = createdAt === undefined ? 'NULL' : instant(`e.${createdAt.quoted}::timestamptz`);
  return `json_build_array(e.${id.quoted}::text, ${asText(coins)}, ${asText(earned(mapping))}, ${time}, e.xmin::text)`;
}

function earned(mapping: ResolvedMapping): string {
  return `CASE WHEN ${earns(mapping, 'e')} THEN e.${mapping.ledger.amount.quoted} ELSE 0 END`;
}

/**
 * The last entries of wallets, the newest first. Where an index gives their order only they are read;
 * elsewhere all entries of these wallets, in one pass (a LIMIT alone would tempt the planner to walk
 * over the whole ledger backwards for each of them).
 */
export function lastEntries(
  mapping: ResolvedMapping,
  sources: Sources,
  walletIds: readonly string[],
): Statement {
  const { ledger, wallet } = mapping;
  const order = orderBy(orderOf(mapping), 'e', 'DESC');
  const last = String(LAST_ENTRIES);
  const text = sources.ordered
    ? `SELECT s.wallet::text AS "walletId", l.entries
  FROM unnest($1::${wallet.id.baseType}[]) AS s (wallet)
 CROSS JOIN LATERAL (SELECT json_agg(e.entry) AS entries FROM (
         SELECT ${entryTexts(mapping)} AS entry FROM ${ledger.table.quoted} AS e
          WHERE e.${ledger.wallet.quoted} = s.wallet ORDER BY ${order} LIMIT ${last}) AS e) AS l`
    : `SELECT e.wallet::text AS "walletId", json_agg(e.entry ORDER BY e.place) AS entries
  FROM (SELECT e.${ledger.wallet.quoted} AS wallet, ${entryTexts(mapping)} AS entry,
               row_number() OVER (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${order}) AS place
          FROM ${ledger.table.quoted} AS e WHERE e.${ledger.wallet.quoted} = ANY ($1::${wallet.id.baseType}[])) AS e
 WHERE e.place <= ${last}
 GROUP BY e.wallet`;
  return { text, values: [walletIds] };
}

/** What a part of a wallet lacks, to be looked for among the entries of gaps. */
export interface Target {
  readonly walletId: string;
  readonly part: string;
  readonly balance: string | null;
  readonly earnings: string | null;
}

/** The shortest end of the entries made in gaps that adds up to a target. */
export function windows(
  mapping: ResolvedMapping,
  targets: readonly Target[],
  spans: readonly { readonly from: string | null; readonly to: string | null }[],
): Statement | undefined {
  const { ledger, wallet } = mapping;
  if (ledger.createdAt === undefined) return undefined;
  const time = `e.${ledger.createdAt.quoted}::timestamptz`;
  return {
    text: `SELECT t.wallet::text AS "walletId", t.part, x.entries::text AS entries, x.id::text AS "firstEntryId",
       x.last_id::text AS "lastEntryId", x.last_time AS "lastTime", ${asText('x.amount')} AS amount, ${asText('x.earned')} AS earned
  FROM unnest($1::${wallet.id.baseType}[], $2::text[], $3::numeric[], $4::numeric[]) AS t (wallet, part, balance, earnings)
 CROSS JOIN LATERAL (
   SELECT * FROM (
     SELECT e.${ledger.id.quoted} AS id, count(*) OVER w AS entries, sum(e.${ledger.amount.quoted}) OVER w AS amount,
            sum(${earned(mapping)}) OVER w AS earned, first_value(e.${ledger.id.quoted}) OVER w AS last_id,
            first_value(${instant(time)}) OVER w AS last_time
       FROM ${ledger.table.quoted} AS e
      WHERE e.${ledger.wallet.quoted} = t.wallet
        AND EXISTS (SELECT FROM unnest($5::timestamptz[], $6::timestamptz[]) AS g (since, until)
                     WHERE ${time} BETWEEN coalesce(g.since, '-infinity') AND coalesce(g.until, 'infinity'))
     WINDOW w AS (ORDER BY ${orderBy(orderOf(mapping), 'e', 'DESC')} ROWS UNBOUNDED PRECEDING)) AS y
    WHERE (t.balance IS NULL OR y.amount = t.balance) AND (t.earnings IS NULL OR y.earned = t.earnings)
    ORDER BY y.entries LIMIT 1) AS x`,
    values: [
      targets.map(({ walletId }) => walletId),
      targets.map(({ part }) => part),
      targets.map(({ balance }) => balance),
      targets.map(({ earnings }) => earnings),
      spans.map(({ from }) => from),
      spans.map(({ to }) => to),
    ],
  };
}

/** Where the running balances of wallets depart from the sum of their entries. */
export function breaks(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Statement | undefined {
  const { ledger, wallet } = mapping;
  const { balanceAfter, sequence } = ledger;
  if (balanceAfter === undefined) return undefined;
  const order = `e.${(sequence ?? ledger.id).quoted}`;
  const [number, shifted] =
    sequence === undefined
      ? ['NULL::text', 'false']
      : [
          'b.number::text',
          'b.number - b.position <> lag(b.number - b.position, 1, 0) OVER (PARTITION BY b.wallet ORDER BY b.position)',
        ];
  const position = sequence === undefined ? 'NULL::text' : 'b.position::text';
  return {
    text: `SELECT b.wallet::text AS "walletId", count(*) FILTER (WHERE b.broken)::text AS count, ${asText('sum(b.size)')} AS offset,
       json_agg(json_build_object('entryId', b.id::text, 'sequence', ${number}, 'position', ${position}, 'amount', ${asText('b.amount')},
         'balanceAfter', ${asText('b.after')}, 'expected', ${asText('b.running')}, 'size', ${asText('b.size')}) ORDER BY b.position)
         FILTER (WHERE b.broken AND b.nth <= ${String(MOST_BREAKS)}) AS first
  FROM (SELECT b.*, count(*) FILTER (WHERE b.broken) OVER (PARTITION BY b.wallet ORDER BY b.position) AS nth
          FROM (SELECT b.*, b.size <> 0 OR b.shifted AS broken
                  FROM (SELECT b.*, ${shifted} AS shifted,
                               b.after - b.running - lag(b.after - b.running, 1, 0::numeric) OVER (PARTITION BY b.wallet ORDER BY b.position) AS size
                          FROM (SELECT e.${ledger.wallet.quoted} AS wallet, e.${ledger.id.quoted} AS id, coalesce(e.${ledger.amount.quoted}, 0) AS amount,
                                       e.${balanceAfter.quoted}::numeric AS after, ${order} AS number,
                                       sum(coalesce(e.${ledger.amount.quoted}, 0)) OVER (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${order})::numeric AS running,
                                       row_number() OVER (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${order}) AS position
                                  FROM ${ledger.table.quoted} AS e
                                 WHERE e.${ledger.wallet.quoted} = ANY ($1::${wallet.id.baseType}[])) AS b
                         WHERE b.after IS NOT NULL) AS b) AS b) AS b
 GROUP BY b.wallet`,
    values: [walletIds],
  };
}

/** The open holds of wallets. */
export function openHolds(ledger: string, walletIds: readonly string[]): Statement {
  return {
    text: `SELECT s.wallet AS "walletId", h.open, h.held
  FROM unnest($2::text[]) AS s (wallet)
 CROSS JOIN LATERAL (SELECT count(*)::text AS open, coalesce(sum(h.held), 0)::text AS held FROM trueup.holds h
                      WHERE h.ledger = $1 AND h.wallet_id = s.wallet AND h.state = 'open') AS h`,
    values: [ledger, walletIds],
  };
}
