import { canonicalJson } from '../core/posting/canonical.js';
import type { PreparedItem } from '../core/posting/request.js';
import { referenceKey } from '../core/posting/request.js';
import type {
  EarlierUse,
  HoldState,
  LedgerEntry,
  LedgerState,
  LimitState,
  Reversible,
  WalletState,
} from '../core/posting/state.js';
import { MAX_AMOUNT, wholeCoins } from '../core/amount.js';
import { highestOf } from '../mapping/ids.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { HeadRow, WalletRow, WalletSpecials } from './lock-statements.js';
import type { ContextRow, EntryRow, HoldRow, LimitRow } from './read-statements.js';

/** What the database said about a batch, row by row. */
export interface Rows {
  readonly locked: readonly WalletRow[];
  readonly heads: readonly HeadRow[];
  readonly context: ContextRow;
  readonly keyed: readonly EntryRow[];
  readonly holds: readonly HoldRow[];
  readonly reversible: readonly EntryRow[];
}

/** Makes one state of the rows, for the decision. */
export function toState(
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  rows: Rows,
): LedgerState {
  const heads = new Map(rows.heads.map((head) => [head.walletId, head]));
  const wallets = new Map<string, WalletState>();
  const references = new Map<string, string>();
  for (const row of rows.locked) {
    wallets.set(row.walletId, toWallet(mapping, row, heads.get(row.walletId)));
    for (const { reference } of namesOf(row)) references.set(reference, row.walletId);
  }
  return {
    now: rows.context.now,
    references,
    wallets,
    keys: toKeys(items, rows),
    reversible: toReversible(rows.reversible),
    holds: new Map(rows.holds.map((row) => [row.holdId, toHold(row)])),
    limits: (rows.context.limits ?? []).map(toLimit),
    ...rulesOf(mapping),
  };
}

/** What a decision has to respect that no batch changes. */
export function rulesOf(
  mapping: ResolvedMapping,
): Pick<LedgerState, 'reasons' | 'highestAmount' | 'highestBalance'> {
  const { ledger, wallet, reasons } = mapping;
  const highestAmount = highestOf(ledger.amount);
  return {
    reasons,
    highestAmount: highestAmount < MAX_AMOUNT ? highestAmount : MAX_AMOUNT,
    highestBalance: [wallet.balance, ledger.balanceAfter ?? wallet.balance]
      .map(highestOf)
      .reduce((least, one) => (one < least ? one : least)),
  };
}

/** The names by which items may mean a wallet: as {@link referenceKey} spells them, and of which user. */
export function namesOf(row: WalletRow): { reference: string; userId: string | null }[] {
  const { walletId, userId, currency } = row;
  const names = [{ reference: referenceKey({ walletId }), userId: null as string | null }];
  if (userId === null) return names;
  if (specialsOf(row)?.isPrimary !== false) {
    names.push({ reference: referenceKey({ userId }), userId });
  }
  if (currency !== null) names.push({ reference: referenceKey({ userId, currency }), userId });
  return names;
}

function specialsOf({ special }: WalletRow): WalletSpecials | null {
  return special === null ? null : (JSON.parse(special) as WalletSpecials);
}

/** One wallet, from its row and what the ledger and the holds say of it. */
export function toWallet(
  mapping: ResolvedMapping,
  row: WalletRow,
  head: HeadRow | undefined,
): WalletState {
  const special = specialsOf(row);
  const overdue = wholeCoins(head?.overdue ?? '0');
  const held = [wholeCoins(row.pending ?? '0'), wholeCoins(head?.held ?? '0')];
  const most = held.reduce((greater, one) => (one > greater ? one : greater)) - overdue;
  return {
    walletId: row.walletId,
    balance: wholeCoins((mapping.numbered ? head?.balance : row.balance) ?? '0'),
    held: most < 0n ? 0n : most,
    sequence: mapping.numbered ? wholeCoins(head?.sequence ?? '0') : null,
    currency: row.currency,
    frozen: special?.frozen ?? false,
    floor: floorOf(special),
    ceiling: coinsOrNull(special?.ceiling),
  };
}

function floorOf(special: WalletSpecials | null): bigint | null {
  return special?.allowOverdraft === true ? coinsOrNull(special.floor) : 0n;
}

function coinsOrNull(text: string | null | undefined): bigint | null {
  return text === null || text === undefined ? null : wholeCoins(text);
}

function toLimit(row: LimitRow): LimitState {
  return {
    ...row,
    amount: BigInt(row.amount),
    windowStart: row.windowStart ?? 0,
    spent: BigInt(row.spent ?? '0'),
  };
}

function toKeys(items: readonly PreparedItem[], rows: Rows): Map<string, EarlierUse> {
  const keys = new Map<string, EarlierUse>();
  const asked = new Set(items.map(({ item }) => item.idempotencyKey));
  for (const row of rows.holds) {
    if (row.idempotencyKey !== null && asked.has(row.idempotencyKey)) {
      keys.set(row.idempotencyKey, { kind: 'hold', hold: toHold(row) });
    }
    if (row.releaseKey !== null && asked.has(row.releaseKey)) {
      keys.set(row.releaseKey, { kind: 'release', hold: toHold(row) });
    }
  }
  for (const [key, entries] of grouped(rows.keyed, ({ key }) => key)) {
    keys.set(key, { kind: 'entries', entries: entries.map(toEntry) });
  }
  return keys;
}

function toReversible(rows: readonly EntryRow[]): Map<string, Reversible> {
  const found = new Map<string, Reversible>();
  for (const [place, entries] of grouped(rows, (row) => row.place)) {
    found.set(place, {
      entries: entries.map(toEntry),
      reversed: entries.some(({ reversed }) => reversed),
    });
  }
  return found;
}

function grouped(
  rows: readonly EntryRow[],
  nameOf: (row: EntryRow) => string | null,
): Map<string, EntryRow[]> {
  const groups = new Map<string, EntryRow[]>();
  for (const row of rows) {
    const name = nameOf(row);
    if (name === null) continue;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
}

function toEntry(row: EntryRow): LedgerEntry {
  return {
    entryId: row.entryId,
    transactionId: row.transactionId,
    walletId: row.walletId,
    amount: wholeCoins(row.amount),
    balanceAfter: row.balanceAfter === null ? null : wholeCoins(row.balanceAfter),
    reason: row.reason,
    note: row.note,
    metadata: canonicalOrNull(row.metadata),
    actor: row.actor,
    counterparty: row.counterparty,
    reverses: row.reverses,
    holdId: row.holdId,
  };
}

function canonicalOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : canonicalJson(value);
}

export function toHold(row: HoldRow): HoldState {
  return {
    holdId: row.holdId,
    walletId: row.walletId,
    amount: BigInt(row.amount),
    captured: BigInt(row.captured),
    state: row.state,
    reason: row.reason,
    note: row.note,
    metadata: canonicalOrNull(row.metadata),
    actor: row.actor,
    expiresAt: row.expiresAt,
    createdAt: row.createdAt,
    releaseKey: row.releaseKey,
  };
}
