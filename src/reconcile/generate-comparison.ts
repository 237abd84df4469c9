import { CACHES } from '../core/comparison.js';
import type { Field, Part } from '../core/drift.js';
import { shownProfile } from '../mapping/expressions.js';
import type { Column, Kind, ResolvedMapping } from '../mapping/model.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import { asText, chainBroken, chainMethod, truth, within, type Scope } from './generate-truth.js';

/**
 * The one comparison that check and repair share: what the ledger says of a wallet beside what its
 * caches say, in one statement, so that both sides are of one moment. SQL text out.
 */

/** A cache that is compared: two columns of the comparison, `name` and `name || '_expected'`. */
export interface ComparedCache {
  readonly part: Part;
  readonly field: Field;
  readonly name: string;
  readonly column: Column;
  /** What decides it: a column of `truth`, or the open holds. */
  readonly truth: 'balance' | 'earnings' | 'pending';
}

/** Every cache of the mapping that the ledger decides. */
export function comparedCaches(mapping: ResolvedMapping): ComparedCache[] {
  return CACHES.flatMap((cache) => {
    const [part, field] = cache;
    const column = columnOf(mapping, cache);
    if (column === undefined) return [];
    return [{ part, field, name: `${part}_${NAMES[field]}`, column, truth: TRUTHS[field] }];
  });
}

const NAMES = {
  balance: 'balance',
  lifetimeEarnings: 'earnings',
  pendingBalance: 'pending',
} as const;

function columnOf(
  { wallet, profile, holdsKept }: ResolvedMapping,
  [part, field]: (typeof CACHES)[number],
): Column | undefined {
  if (part === 'profile') return profile?.[field];
  return field === 'pendingBalance' && !holdsKept ? undefined : wallet[field];
}

const TRUTHS: Readonly<Record<Field, ComparedCache['truth']>> = {
  balance: 'balance',
  balanceAfter: 'balance',
  lifetimeEarnings: 'earnings',
  pendingBalance: 'pending',
};

/**
 * One row a wallet. The profile is looked up row by row through its key (OFFSET 0 keeps the planner
 * from joining the whole table to every batch: with batches of 1,000 over 200,000 profiles that
 * took 16 s where this takes 3).
 */
export function comparison(
  mapping: ResolvedMapping,
  scope: Scope,
  options: { readonly chain: boolean; readonly rows?: boolean },
): string {
  const { wallet, profile } = mapping;
  const id = wallet.id;
  const method = options.chain ? chainMethod(mapping) : 'none';
  const caches = comparedCaches(mapping);
  const cached = [
    `w.${id.quoted} AS wallet_id`,
    profile === undefined
      ? 'NULL::text AS profile_id'
      : `${shownProfile(mapping, 'w')} AS profile_id`,
    profile === undefined
      ? 'false AS profile_exists'
      : `p.${profile.id.quoted} IS NOT NULL AS profile_exists`,
    profile?.user === undefined ? 'NULL::text AS user_id' : `p.${profile.user.quoted} AS user_id`,
    ...(options.rows === true ? [...rowAddresses(mapping), ...rights(mapping)] : []),
    ...caches.map(
      ({ part, column, name }) => `${part === 'wallet' ? 'w' : 'p'}.${column.quoted} AS ${name}`,
    ),
  ];
  const profileLookup =
    profile === undefined
      ? ''
      : `
      LEFT JOIN LATERAL (SELECT p.*, p.ctid AS trueup_row, p.tableoid AS trueup_table FROM ${profile.table.quoted} AS p
                          WHERE p.${profile.id.quoted} = w.${profile.link.quoted} OFFSET 0) AS p ON true`;
  return `SELECT coalesce(k.wallet_id, t.wallet_id) AS wallet_id, k.wallet_id IS NOT NULL AS wallet_exists,
       k.profile_id, coalesce(k.profile_exists, false) AS profile_exists, k.user_id,
       coalesce(t.entries, 0) AS entry_count,${options.rows === true ? ' k.wallet_row, k.wallet_table, k.profile_row, k.profile_table, k.overdraft, k.frozen,' : ''}
       ${caches.map((cache) => `k.${cache.name}, ${expectation(mapping, cache, scope)} AS ${cache.name}_expected`).join(',\n       ')},
       ${chainBroken(method)} AS chain_broken
  FROM (SELECT ${cached.join(', ')}
          FROM ${wallet.table.quoted} AS w${profileLookup}
         WHERE ${within(scope, `w.${id.quoted}`, id.baseType)}) AS k
  FULL JOIN (${truth(mapping, scope, method)}) AS t ON t.wallet_id = k.wallet_id`;
}

/** What the wallet may do. What is not mapped, nobody may. */
function rights({ wallet }: ResolvedMapping): string[] {
  const flag = (column: Column | undefined): string =>
    column === undefined ? 'false' : `coalesce(w.${column.quoted}, false)`;
  return [`${flag(wallet.allowOverdraft)} AS overdraft`, `${flag(wallet.frozen)} AS frozen`];
}

/** The condition under which the entries of a wallet (alias c, with its rows) sum up to what it may not have. */
export const isCritical = 'c.wallet_exists AND c.wallet_balance_expected < 0 AND NOT c.overdraft';

/**
 * Where the rows are, for a statement that updates them under the lock that it holds already: the place
 * and the table, because rows of two partitions, or of two tables that inherit, may have the same place.
 */
function rowAddresses({ profile }: ResolvedMapping): string[] {
  return [
    'w.ctid AS wallet_row, w.tableoid AS wallet_table',
    profile === undefined
      ? 'NULL::tid AS profile_row, NULL::oid AS profile_table'
      : 'p.trueup_row AS profile_row, p.trueup_table AS profile_table',
  ];
}

/** What a cache should hold. */
function expectation(mapping: ResolvedMapping, cache: ComparedCache, scope: Scope): string {
  return cache.truth === 'pending'
    ? expectedPending(mapping, cache, scope)
    : unlessMarked(mapping, cache, `coalesce(t.${cache.truth}, 0)`);
}

/** A hash table of so many holds costs no more than asking about each wallet of a batch. */
const FEW_HOLDS = { range: 10_000, ids: 1_000 } as const;

/**
 * The sum of the open holds. In a ledger that Trueup does not number, an application may keep pending
 * coins of its own, so only wallets that ever had a hold are compared.
 *
 * Most wallets have no hold, and looking up every one of them took a sixth of a scan. So where there
 * are few holds in all, only the wallets among them are looked up.
 */
function expectedPending(mapping: ResolvedMapping, { name }: ComparedCache, scope: Scope): string {
  const holds = `FROM trueup.holds AS h WHERE h.ledger = ${quoteLiteral(mapping.ledger.table.quoted)}`;
  const ofWallet = `${holds} AND h.wallet_id = k.wallet_id::text`;
  const open = `coalesce((SELECT sum(h.held) ${ofWallet} AND h.state = 'open'), 0)`;
  const few = FEW_HOLDS[scope.kind];
  const some = `${holds}${mapping.numbered ? ` AND h.state = 'open'` : ''} LIMIT ${String(few + 1)}`;
  return `CASE WHEN (SELECT count(*) FROM (SELECT ${some}) AS s) <= ${String(few)}
                 AND k.wallet_id::text NOT IN (SELECT h.wallet_id ${some})
            THEN ${mapping.numbered ? '0' : `k.${name}`}
            ELSE ${mapping.numbered ? open : `CASE WHEN EXISTS (SELECT ${ofWallet}) THEN ${open} ELSE k.${name} END`} END`;
}

/**
 * A profile that waits to be carried (deferred mode) is not wrong yet: what it holds is what it should
 * hold for now. Marks come and go in the transactions of the entry and of the carrier, so in the one
 * moment of the comparison a profile without a mark has to be right. Only a difference is looked up.
 */
function unlessMarked(mapping: ResolvedMapping, cache: ComparedCache, says: string): string {
  if (cache.part !== 'profile' || !mapping.marksKept) return says;
  const holds = cache.column.kind === 'numeric' ? `trim_scale(k.${cache.name})` : `k.${cache.name}`;
  return `CASE WHEN k.${cache.name} IS DISTINCT FROM ${says}
                 AND k.wallet_id::text IN (SELECT m.wallet_id FROM trueup.profile_marks AS m
                      WHERE m.ledger = ${quoteLiteral(mapping.ledger.table.quoted)})
            THEN ${holds} ELSE ${says} END`;
}

/** What a cache holds and what it should hold (alias c), both as canonical text. */
export function cacheTexts(mapping: ResolvedMapping, cache: ComparedCache): [string, string] {
  const text = (kind: Kind, expression: string): string =>
    kind === 'integer' ? `${expression}::text` : asText(expression);
  return [
    text(cache.column.kind, `c.${cache.name}`),
    text(mapping.ledger.amount.kind, `c.${cache.name}_expected`),
  ];
}

/** The condition under which a row of the comparison (alias c) has a finding. */
export function isDrifted(mapping: ResolvedMapping): string {
  return `NOT c.wallet_exists OR c.chain_broken OR ${cachesDiffer(mapping)}`;
}

/** The condition under which a cache of an existing wallet (alias c), or of its profile, differs. */
export function cachesDiffer(mapping: ResolvedMapping): string {
  const profile = partDiffers(mapping, 'profile');
  return `(${partDiffers(mapping, 'wallet')}${profile === '' ? '' : ` OR c.profile_id IS NOT NULL AND (${profile})`})`;
}

/** The condition under which a cache of one part (alias c) differs; empty where it keeps none. */
export function partDiffers(mapping: ResolvedMapping, part: Part): string {
  return comparedCaches(mapping)
    .filter((cache) => cache.part === part)
    .map(({ name }) => `c.${name} IS DISTINCT FROM c.${name}_expected`)
    .join(' OR ');
}

/**
 * The condition under which the history of a wallet (alias c) is missing: see core/comparison.ts. It has
 * no entry, or it differs by just what it held when the sync was installed.
 */
export function isWithoutHistory(mapping: ResolvedMapping): string {
  const holdsCoins = comparedCaches(mapping)
    .filter((cache) => cache.part === 'wallet' && cache.field !== 'pendingBalance')
    .map(({ name }) => `coalesce(c.${name}, 0) <> 0`)
    .join(' OR ');
  const fromBefore = `EXISTS (SELECT FROM trueup.opening_balances AS o
      WHERE o.ledger = ${quoteLiteral(mapping.ledger.table.quoted)} AND o.wallet_id = c.wallet_id::text
        AND o.balance = c.wallet_balance - c.wallet_balance_expected)`;
  const without = `c.entry_count = 0 AND (${holdsCoins})`;
  return mapping.openingsKept ? `${without} OR ${fromBefore}` : without;
}

/** By how many coins the caches of a wallet (alias c) differ at most, as far as there are rows that hold them. */
export function largestDelta(mapping: ResolvedMapping): string {
  const deltas = comparedCaches(mapping).map(({ part, name }) => {
    const delta = `abs(coalesce(c.${name}, 0)::numeric - c.${name}_expected::numeric)`;
    return part === 'wallet' ? delta : `CASE WHEN c.profile_exists THEN ${delta} END`;
  });
  return `coalesce(greatest(${deltas.join(', ')}), 0)`;
}
