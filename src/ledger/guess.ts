import { decide } from '../core/posting/decide.js';
import type { Plan } from '../core/posting/plan.js';
import type { LedgerState, WalletState } from '../core/posting/state.js';
import type { Remembered, WalletMemory } from './memory.js';
import { apart, isSimple, itemsOf, type Unit } from './unit.js';

/** What can be decided on remembered wallets, and for whom. Nothing here asks the database. */

/** What was decided on which wallets. */
export interface Guess {
  readonly units: readonly Unit[];
  readonly wallets: readonly Remembered[];
  /** By wallet: whose it has to be. */
  readonly users: ReadonlyMap<string, string>;
  readonly plan: Plan;
}

/** The units that do nothing but move coins, and overtake nothing that they may depend on. */
export function simpleUnits(memory: WalletMemory, units: readonly Unit[]): readonly Unit[] {
  return apart(units, isSimple, (name) => walletOf(memory, name));
}

/** The units of which every wallet is known and fit, and no wallet is taken for that of two users. */
export function knownUnits(memory: WalletMemory, units: readonly Unit[]): readonly Unit[] {
  const users = new Map<string, string>();
  return apartByWallet(memory, units, ({ touches }) =>
    touches.every((name) => {
      const named = memory.get(name);
      if (named === undefined || !isFit(memory, named.wallet)) return false;
      if (named.userId === null) return true;
      const { walletId } = named.wallet.state;
      const user = users.get(walletId) ?? named.userId;
      users.set(walletId, user);
      return user === named.userId;
    }),
  );
}

/** Units apart, where all name wallets, and these were looked for: what is unknown is no wallet. */
export function apartByWallet(
  memory: WalletMemory,
  units: readonly Unit[],
  fits: (unit: Unit) => boolean,
): readonly Unit[] {
  return apart(units, fits, (name) => walletOf(memory, name) ?? name);
}

function walletOf(memory: WalletMemory, name: string): string | undefined {
  return memory.get(name)?.wallet.state.walletId;
}

function isFit(memory: WalletMemory, { unfitUntil, state }: Remembered): boolean {
  if (unfitUntil === null) return true;
  if (unfitUntil < performance.now()) memory.forget(state.walletId);
  return false;
}

/**
 * Decides what will be posted. A refusal writes nothing, so there would be nothing to prove it: units
 * with one are left out, and those that build on them.
 *
 * @returns undefined where nothing is left
 */
export function guessOf(
  memory: WalletMemory,
  rules: Pick<LedgerState, 'reasons' | 'highestAmount' | 'highestBalance'>,
  units: readonly Unit[],
): Guess | undefined {
  const first = decideOn(memory, rules, units);
  const refused = refusedUnits(first);
  if (refused.size === 0) return first.plan.entries.length > 0 ? first : undefined;
  const others = apartByWallet(memory, units, (unit) => !refused.has(unit));
  const second = decideOn(memory, rules, others);
  return second.plan.entries.length > 0 && refusedUnits(second).size === 0 ? second : undefined;
}

function decideOn(
  memory: WalletMemory,
  rules: Pick<LedgerState, 'reasons' | 'highestAmount' | 'highestBalance'>,
  units: readonly Unit[],
): Guess {
  const references = new Map<string, string>();
  const states = new Map<string, WalletState>();
  const wallets: Remembered[] = [];
  const users = new Map<string, string>();
  for (const { touches } of units) {
    for (const name of touches) {
      const named = references.has(name) ? undefined : memory.get(name);
      if (named === undefined) continue;
      const { wallet, userId } = named;
      const { walletId } = wallet.state;
      references.set(name, walletId);
      if (userId !== null) users.set(walletId, userId);
      if (states.has(walletId)) continue;
      states.set(walletId, wallet.state);
      wallets.push(wallet);
    }
  }
  const plan = decide({ ...NOTHING_ELSE, ...rules, references, wallets: states }, itemsOf(units));
  return { units, wallets, users, plan };
}

/** No clock, keys, holds nor limits: where any of them matters, the database says so. */
const NOTHING_ELSE: Pick<LedgerState, 'now' | 'keys' | 'reversible' | 'holds' | 'limits'> = {
  now: 0,
  keys: new Map(),
  reversible: new Map(),
  holds: new Map(),
  limits: [],
};

function refusedUnits({ units, plan }: Guess): ReadonlySet<Unit> {
  const refused = new Set<Unit>();
  let from = 0;
  for (const unit of units) {
    const own = plan.outcomes.slice(from, (from += unit.items.length));
    if (own.some(({ status }) => status === 'refused')) refused.add(unit);
  }
  return refused;
}
