import { TrueupError } from '../core/errors.js';
import { decide } from '../core/posting/decide.js';
import { heldBy } from '../core/posting/holds.js';
import type { Plan } from '../core/posting/plan.js';
import type { PreparedItem } from '../core/posting/request.js';
import type { HoldState, LedgerState } from '../core/posting/state.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable, Statement } from '../postgres/database.js';
import { toState, type Rows } from './load.js';
import * as locking from './lock-statements.js';
import * as reading from './read-statements.js';
import { wantedBy, type Wanted } from './wanted.js';
import * as writing from './write-statements.js';

/** A batch that was decided under the locks of its wallets, and is not written yet. */
export interface Decided {
  readonly state: LedgerState;
  readonly plan: Plan;
  /** The moment of the decision as PostgreSQL prints it: the time of every new entry. */
  readonly nowText: string;
  readonly transactionIds: readonly string[];
  /** Wallets with open holds whose time is over. */
  readonly overdue: readonly string[];
}

/**
 * Locks every wallet that the items name, reads what stands behind the locks, and decides. The
 * statements go out together: where the connection pipelines, this is one round trip, whatever the
 * size of the batch.
 *
 * @param before what has to be sent first, such as BEGIN
 * @throws TrueupError `sync_missing`
 */
export async function decideUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  before: readonly Statement[] = [],
): Promise<Decided> {
  const wanted = wantedBy(mapping, items);
  const rows = await read(session, mapping, wanted, { before, items });
  if (!rows.context.synced) {
    throw new TrueupError(
      'sync_missing',
      `the sync trigger of ${mapping.ledger.table.quoted} is not there, so no cache would follow`,
      { hint: 'Install it with `trueup sync install`.' },
    );
  }
  const state = toState(mapping, items, rows);
  return {
    state,
    plan: decide(state, items),
    nowText: rows.context.nowText,
    transactionIds: mapping.ledger.transaction === undefined ? [] : rows.context.transactions,
    overdue: rows.heads
      .filter(({ overdue }) => overdue !== null && overdue !== '0')
      .map(({ walletId }) => walletId),
  };
}

async function read(
  session: Queryable,
  mapping: ResolvedMapping,
  wanted: Wanted,
  options: { readonly before: readonly Statement[]; readonly items: readonly PreparedItem[] },
): Promise<Rows> {
  const { ledger } = mapping;
  const keyed = wanted.keys.length > 0 && ledger.idempotencyKey !== undefined;
  const holding = wanted.holds.length + wanted.keys.length > 0 && mapping.holdsKept;
  const reversing = wanted.entries.length + wanted.transactions.length > 0;
  const count = options.items.length;
  const answers = await sendAll(session, [
    ...options.before,
    locking.lockWallets(mapping, wanted),
    locking.readHeads(mapping, wanted),
    reading.readContext(mapping, wanted, count),
    ...(keyed ? [reading.entriesByKey(mapping, wanted.keys)] : []),
    ...(holding ? [reading.readHolds(mapping, wanted)] : []),
    ...(reversing ? [reading.reversibleEntries(mapping, wanted)] : []),
  ]);
  const rest = answers.slice(options.before.length);
  const next = (asked = true): readonly object[] => (asked ? (rest.shift() ?? []) : []);
  const locked = next() as readonly locking.WalletRow[];
  const heads = next() as readonly locking.HeadRow[];
  const context = next() as readonly reading.ContextRow[];
  const keys = next(keyed) as readonly reading.EntryRow[];
  const holds = next(holding) as readonly reading.HoldRow[];
  const reversible = next(reversing) as readonly reading.EntryRow[];
  const [now] = context;
  if (now === undefined) throw new TrueupError('database_failed', 'the server told no time');
  return { locked, heads, context: now, keyed: keys, holds, reversible };
}

/**
 * Writes what was decided.
 *
 * @param after what has to be sent last, such as COMMIT, in the same round trip
 * @returns the ids of the new entries, in the order of the plan
 */
export async function write(
  session: Queryable,
  mapping: ResolvedMapping,
  decided: Decided,
  after: readonly Statement[] = [],
): Promise<readonly string[]> {
  const statements = statementsOf(mapping, decided);
  const answers = await sendAll(session, [...statements, ...after]);
  const place = statements.findIndex(({ name }) => name?.startsWith('insert entries') === true);
  const [inserted] = (answers[place] ?? []) as readonly { readonly entryIds: string[] | null }[];
  return inserted?.entryIds ?? [];
}

/** Whether a decision changes anything at all. */
export function changesAnything({ plan, overdue }: Decided): boolean {
  const { entries, newHolds, changedHolds } = plan;
  return entries.length + newHolds.length + changedHolds.length + overdue.length > 0;
}

/** Whether a decision writes caches by itself, beside what the sync makes of its entries. */
export function writesCaches(decided: Decided): boolean {
  const { freed, taken } = pendingChanges(decided);
  return decided.overdue.length + freed.size + taken.size > 0;
}

/**
 * Pending balances fall before the entries and rise after them, so that a wallet never seems to have
 * more on hold than it holds.
 */
function statementsOf(mapping: ResolvedMapping, decided: Decided): Statement[] {
  const { plan, nowText, overdue, transactionIds } = decided;
  const { freed: falling, taken: rising } = pendingChanges(decided);
  return [
    ...(overdue.length > 0 ? [writing.expireHolds(mapping, overdue, nowText)] : []),
    ...(plan.changedHolds.length > 0 ? [writing.changeHolds(plan.changedHolds, nowText)] : []),
    ...(falling.size > 0 ? [writing.changePending(mapping, falling)] : []),
    ...(plan.entries.length > 0
      ? [writing.insertEntries(mapping, plan.entries, { nowText, transactions: transactionIds })]
      : []),
    ...(plan.newHolds.length > 0 ? [writing.insertHolds(mapping, plan.newHolds)] : []),
    ...(rising.size > 0 ? [writing.changePending(mapping, rising)] : []),
    ...(plan.spending.length > 0 ? [writing.writeSpending(plan.spending)] : []),
  ];
}

/**
 * What holds free and what they take of the pending balances, by wallet. The one is not set off
 * against the other: the entries between them may need what was freed, and bring what is taken.
 */
function pendingChanges({
  plan,
  state,
}: Decided): Readonly<Record<'freed' | 'taken', Map<string, bigint>>> {
  const freed = new Map<string, bigint>();
  const taken = new Map<string, bigint>();
  const add = (changes: Map<string, bigint>, hold: HoldState, change: bigint): void => {
    if (change !== 0n) changes.set(hold.walletId, (changes.get(hold.walletId) ?? 0n) + change);
  };
  for (const hold of plan.newHolds) add(taken, hold, heldBy(hold));
  for (const hold of plan.changedHolds) {
    const before = state.holds.get(hold.holdId);
    add(freed, hold, heldBy(hold) - (before === undefined ? 0n : heldBy(before)));
  }
  return { freed, taken };
}

/**
 * Sends statements in their order: all at once where the connection pipelines, else one by one. Waits
 * for all, and only then tells the first failure: nothing of a transaction is left under way.
 */
async function sendAll(
  session: Queryable,
  statements: readonly Statement[],
): Promise<(readonly object[])[]> {
  const answers: (readonly object[])[] = [];
  if (session.pipelined !== true) {
    for (const statement of statements) answers.push(await session.query(statement));
    return answers;
  }
  const settled = await Promise.allSettled(statements.map((statement) => session.query(statement)));
  for (const one of settled) {
    if (one.status === 'rejected') throw one.reason;
    answers.push(one.value);
  }
  return answers;
}
