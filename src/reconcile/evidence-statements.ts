import { orderBy, orderOf } from '../ledger/reads/order.js';
import { earns } from '../mapping/expressions.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { asText } from './generate-truth.js';
import { instant, type Sources } from './records-statements.js';

/**
 * Statements that ask the ledger itself what it can say about drifted wallets: a fixed number of them,
 * however many wallets are asked about. They only read.
 */

/** The last entries of a wallet that are looked at one by one; more are only ever added up. */
export const LAST_ENTRIES = 64;

/** Breaks of one running balance that are told. */
const MOST_BREAKS = 10;

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
 * The amounts of the last entries of wallets, and the transactions that wrote them, as two texts: they
 * are read for every drifted wallet, and the entries as such only where their amounts fit.
 */
export function lastAmounts(
  mapping: ResolvedMapping,
  sources: Sources,
  walletIds: readonly string[],
): Statement {
  const { amount } = mapping.ledger;
  const coins = `coalesce(e.${amount.quoted}, 0)`;
  return lastOf(mapping, sources, walletIds, {
    columns: `${amount.kind === 'integer' ? `${coins}::text` : asText(coins)} AS amount, e.xmin::text AS writer`,
    aggregate: (order) =>
      `string_agg(e.amount, ' '${order}) AS amounts, string_agg(e.writer, ' '${order}) AS transactions`,
    result: 'amounts, l.transactions',
  });
}

/** The last entries of wallets, the newest first. */
export function lastEntries(
  mapping: ResolvedMapping,
  sources: Sources,
  walletIds: readonly string[],
): Statement {
  return lastOf(mapping, sources, walletIds, {
    columns: `${entryTexts(mapping)} AS entry`,
    aggregate: (order) => `json_agg(e.entry${order}) AS entries`,
    result: 'entries',
  });
}

/**
 * Where an index gives the order of a wallet's entries, only the last ones are read; elsewhere all
 * entries of these wallets, in one pass (a LIMIT alone would tempt the planner to walk over the whole
 * ledger backwards for each of them).
 */
function lastOf(
  mapping: ResolvedMapping,
  sources: Sources,
  walletIds: readonly string[],
  shape: {
    readonly columns: string;
    readonly aggregate: (order: string) => string;
    readonly result: string;
  },
): Statement {
  const { ledger, wallet } = mapping;
  const order = orderBy(orderOf(mapping), 'e', 'DESC');
  const last = String(LAST_ENTRIES);
  const text = sources.ordered
    ? `SELECT s.wallet::text AS "walletId", l.${shape.result}
  FROM unnest($1::${wallet.id.baseType}[]) AS s (wallet)
 CROSS JOIN LATERAL (SELECT ${shape.aggregate('')} FROM (
         SELECT ${shape.columns} FROM ${ledger.table.quoted} AS e
          WHERE e.${ledger.wallet.quoted} = s.wallet ORDER BY ${order} LIMIT ${last}) AS e) AS l`
    : `SELECT l.wallet::text AS "walletId", l.${shape.result} FROM (SELECT e.wallet, ${shape.aggregate(' ORDER BY e.place')}
  FROM (SELECT e.${ledger.wallet.quoted} AS wallet, ${shape.columns},
               row_number() OVER (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${order}) AS place
          FROM ${ledger.table.quoted} AS e WHERE e.${ledger.wallet.quoted} = ANY ($1::${wallet.id.baseType}[])) AS e
 WHERE e.place <= ${last}
 GROUP BY e.wallet) AS l`;
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
        AND ${time} >= (SELECT min(coalesce(g.since, '-infinity')) FROM unnest($5::timestamptz[]) AS g (since))
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

/**
 * Where the running balances of wallets depart from the sum of their entries. Sums over the few breaks
 * say what the running sum is at each: where every entry carries its balance, each is held against the
 * one before it alone. With running sums over all of them 1,000,000 entries took twice as long.
 */
export function breaks(
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Statement | undefined {
  const { balanceAfter, sequence } = mapping.ledger;
  if (balanceAfter === undefined) return undefined;
  const [number, position] =
    sequence === undefined
      ? ['NULL::text', 'NULL::text']
      : ['b.number::text', '(b.number - b.shifts)::text'];
  const steps = balanceAfter.nullable ? stepsOverGaps(mapping) : stepsOneByOne(mapping);
  return {
    text: `SELECT b.wallet::text AS "walletId", count(*)::text AS count, ${asText('sum(b.size)')} AS offset,
       json_agg(json_build_object('entryId', b.id::text, 'sequence', ${number}, 'position', ${position}, 'amount', ${asText('b.amount')},
         'balanceAfter', ${asText('b.after')}, 'expected', ${asText('b.after - b.sizes')}, 'size', ${asText('b.size')}) ORDER BY b.number)
         FILTER (WHERE b.nth <= ${String(MOST_BREAKS)}) AS first
  FROM (SELECT b.*, row_number() OVER w AS nth, sum(b.size) OVER w AS sizes, sum(b.shift) OVER w AS shifts
          FROM (${steps}) AS b
         WHERE b.size <> 0 OR b.shift <> 0
        WINDOW w AS (PARTITION BY b.wallet ORDER BY b.number)) AS b
 GROUP BY b.wallet`,
    values: [walletIds],
  };
}

/** By how much each entry's balance, and its number, depart from those of the entry before it. */
function stepsOneByOne({ ledger, wallet }: ResolvedMapping): string {
  const { id, amount, balanceAfter, sequence } = ledger;
  const coins = `coalesce(e.${amount.quoted}, 0)`;
  const after = `e.${balanceAfter?.quoted ?? ''}`;
  const number = `e.${(sequence ?? id).quoted}`;
  return `SELECT e.${ledger.wallet.quoted} AS wallet, e.${id.quoted} AS id, ${coins} AS amount, ${after} AS after, ${number} AS number,
                       ${after}::numeric - ${coins} - coalesce(lag(${after}) OVER w, 0) AS size,
                       ${sequence === undefined ? '0' : `${number} - 1 - coalesce(lag(${number}) OVER w, 0)`} AS shift
                  FROM ${ledger.table.quoted} AS e
                 WHERE e.${ledger.wallet.quoted} = ANY ($1::${wallet.id.baseType}[])
                WINDOW w AS (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${number})`;
}

/**
 * The same where some entries carry no balance: the amounts between two that do are added up. A sum is
 * of a wider type than what it adds up, so nothing overflows here.
 */
function stepsOverGaps({ ledger, wallet }: ResolvedMapping): string {
  const { id, amount, balanceAfter, sequence } = ledger;
  const number = `e.${(sequence ?? id).quoted}`;
  const coins = `coalesce(e.${amount.quoted}, 0)`;
  const [ahead, shift] =
    sequence === undefined
      ? ['0', '0']
      : [`${number} - row_number() OVER w`, 'b.ahead - coalesce(lag(b.ahead) OVER w, 0)'];
  return `SELECT b.wallet, b.id, b.amount, b.after, b.number, b.off - coalesce(lag(b.off) OVER w, 0) AS size, ${shift} AS shift
                  FROM (SELECT e.${ledger.wallet.quoted} AS wallet, e.${id.quoted} AS id, ${coins} AS amount,
                               e.${balanceAfter?.quoted ?? ''} AS after, ${number} AS number,
                               e.${balanceAfter?.quoted ?? ''} - sum(${coins}) OVER w AS off, ${ahead} AS ahead
                          FROM ${ledger.table.quoted} AS e
                         WHERE e.${ledger.wallet.quoted} = ANY ($1::${wallet.id.baseType}[])
                        WINDOW w AS (PARTITION BY e.${ledger.wallet.quoted} ORDER BY ${number})) AS b
                 WHERE b.after IS NOT NULL
                WINDOW w AS (PARTITION BY b.wallet ORDER BY b.number)`;
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
