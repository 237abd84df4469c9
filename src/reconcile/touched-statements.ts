import { shownProfile } from '../mapping/expressions.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import type { Statement } from '../postgres/database.js';

/**
 * Statements that find what has changed since a watermark. They read only, and take no lock. A table is
 * read piece by piece in the order in which its rows lie, each piece with a snapshot of its own: a row
 * that moves meanwhile was moved by a transaction after this run's own watermark, and is the next run's.
 */

/** What was touched: a wallet, a profile, or a wallet with its profile. */
export interface TouchedRow {
  readonly walletId?: string | null;
  readonly profileId?: string | null;
}

/** A table that is read piece by piece. */
export interface Source {
  readonly oid: string;
  /** The rows of one piece that were written since the watermark, as {@link TouchedRow}s. */
  readonly piece: (since: string, blocks: Blocks) => Statement;
}

/** Blocks of a table, from the first up to before the last; without an end up to the end of the table. */
export interface Blocks {
  readonly from: number;
  readonly before: number | undefined;
}

/**
 * The row was written by a transaction that had not ended at the watermark ($1). Such a row has its id, or
 * that of a subtransaction, which is higher; also once it is frozen. What is 2^31 transactions old or
 * older may seem young, which costs a look and nothing else.
 */
function recent(alias: string): string {
  return `age(${alias}.xmin) <= (SELECT age($1::xid8::xid))`;
}

function piece(select: string, from: string, alias: string, where = ''): Source['piece'] {
  return (since, { from: first, before }) => ({
    text: `SELECT ${select} FROM ${from} AS ${alias}
            WHERE ${alias}.ctid >= $2::tid${before === undefined ? '' : ` AND ${alias}.ctid < $3::tid`} AND ${recent(alias)}${where}`,
    values: [since, block(first), ...(before === undefined ? [] : [block(before)])],
  });
}

function block(number: number): string {
  return `(${String(number)},0)`;
}

/** With a wallet comes the profile that shows it, which then need not be looked up. */
export function walletSource(mapping: ResolvedMapping): Source {
  const { wallet } = mapping;
  const select = `w.${wallet.id.quoted}::text AS "walletId", (${shownProfile(mapping, 'w')})::text AS "profileId"`;
  return { oid: wallet.table.oid, piece: piece(select, wallet.table.quoted, 'w') };
}

export function profileSource({ profile }: ResolvedMapping): Source | undefined {
  if (profile === undefined) return undefined;
  const { id, table } = profile;
  return {
    oid: table.oid,
    piece: piece(`p.${id.quoted}::text AS "profileId"`, table.quoted, 'p'),
  };
}

/** Entries by their rows: whoever wrote them, and whatever they say of themselves. */
export function entrySource({ ledger }: ResolvedMapping): Source {
  const id = `e.${ledger.wallet.quoted}`;
  const select = `DISTINCT ${id}::text AS "walletId"`;
  return {
    oid: ledger.table.oid,
    piece: piece(select, ledger.table.quoted, 'e', ` AND ${id} IS NOT NULL`),
  };
}

/** Holds decide pending balances. */
export function holdSource(mapping: ResolvedMapping, oid: string): Source {
  const ofLedger = ` AND h.ledger = ${quoteLiteral(mapping.ledger.table.quoted)}`;
  return { oid, piece: piece('DISTINCT h.wallet_id AS "walletId"', 'trueup.holds', 'h', ofLedger) };
}

export const holdsTable: Statement = { text: `SELECT 'trueup.holds'::regclass::oid::text AS oid` };

/** How many blocks a table has; one with partitions, the largest of them. */
export function blockCount(oid: string): Statement {
  return {
    text: `WITH RECURSIVE parts AS (
             SELECT $1::oid AS oid
              UNION ALL
             SELECT i.inhrelid FROM pg_inherits AS i JOIN parts AS p ON p.oid = i.inhparent)
           SELECT (coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::bigint)::text AS blocks
             FROM parts AS p JOIN pg_class AS c USING (oid) WHERE c.relkind = 'r'`,
    values: [oid],
  };
}

/**
 * Entries of Trueup's own ledger by the transaction that they name, through the index of 0019 (it knows no
 * xid8, so it has a number). In the order of wallets, page by page. OFFSET 0 keeps the planner from reading
 * the whole ledger in that order, as it did where it knew nothing of the writers yet: 250 s for 0.1.
 * To be run with {@link BY_INDEX}.
 */
export function entriesByWriter(
  { ledger, wallet }: ResolvedMapping,
  since: string,
  page: { readonly above: string | undefined; readonly size: number },
): Statement {
  const writer = `e.${ledger.writer?.quoted ?? ''}`;
  return {
    text: `SELECT t.id::text AS "walletId" FROM (
             SELECT DISTINCT n.id FROM (
               SELECT e.${ledger.wallet.quoted} AS id FROM ${ledger.table.quoted} AS e
                WHERE (${writer}::text)::bigint >= $1::bigint OFFSET 0) AS n
              WHERE ${page.above === undefined ? 'true' : `n.id > $3::${wallet.id.baseType}`}
              ORDER BY n.id LIMIT $2) AS t ORDER BY t.id`,
    values: [since, page.size, ...(page.above === undefined ? [] : [page.above])],
  };
}

/** A planner that knows nothing of the writers yet would rather read the table than the index. */
export const BY_INDEX = {
  readOnly: true,
  settings: { enable_seqscan: 'off', work_mem: '64MB' },
} as const;

/** A subscription writes into this table: its entries name transactions of another server. */
export function isSubscribed(oid: string): Statement {
  return {
    text: 'SELECT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = $1::oid) AS subscribed',
    values: [oid],
  };
}

/** Whatever was found and is not settled yet, page by page. */
export function openFindings(ledger: string, above: string, size: number): Statement {
  return {
    text: `SELECT id::text, wallet_id AS "walletId", profile_id AS "profileId"
             FROM trueup.findings WHERE ledger = $1 AND settled_at IS NULL AND id > $2
            ORDER BY id LIMIT $3`,
    values: [ledger, above, size],
  };
}

/** The wallets of these profiles. */
export function walletsOfProfiles(
  { wallet, profile }: ResolvedMapping,
  profileIds: readonly string[],
): Statement | undefined {
  if (profile === undefined) return undefined;
  const { id, link } = profile;
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId", w.${link.quoted}::text AS "profileId"
             FROM ${wallet.table.quoted} AS w WHERE w.${link.quoted} = ANY ($1::${id.baseType}[])`,
    values: [profileIds],
  };
}

/** A foreign key that holds keeps every profile that a wallet names. */
export function profilesKept({ wallet, profile }: ResolvedMapping): Statement | undefined {
  if (profile === undefined) return undefined;
  return {
    text: `SELECT EXISTS (
             SELECT FROM pg_constraint AS c
               JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
              WHERE c.contype = 'f' AND c.convalidated AND c.conrelid = $1::oid AND c.confrelid = $2::oid
                AND cardinality(c.conkey) = 1 AND a.attname = $3) AS kept`,
    values: [wallet.table.oid, profile.table.oid, profile.link.name],
  };
}

/** Wallets whose profile is gone, which leaves no trace in any row. */
export function walletsWithoutProfile(
  { wallet, profile }: ResolvedMapping,
  limit: number,
): Statement | undefined {
  if (profile === undefined) return undefined;
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId", w.${profile.link.quoted}::text AS "profileId"
             FROM ${wallet.table.quoted} AS w
            WHERE w.${profile.link.quoted} IS NOT NULL
              AND NOT EXISTS (SELECT FROM ${profile.table.quoted} AS p WHERE p.${profile.id.quoted} = w.${profile.link.quoted})
            LIMIT $1`,
    values: [limit],
  };
}
