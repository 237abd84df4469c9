import { isRepairable } from '../../core/drift.js';
import type { CacheComparison } from '../../core/comparison.js';
import type { PlanFinding, PlanWallet } from './format.js';

/** Whether a wallet is still as a plan has it. Pure. */

/** What of a cache is held against the plan. */
type Said = Pick<CacheComparison, 'part' | 'field' | 'cached' | 'expected'>;

/** Whether a run by this plan may overwrite the cache. */
export function isToRepair({ cause, field, state }: PlanFinding): boolean {
  return state === undefined && isRepairable(cause, field);
}

/** Whether a run by this plan has anything to write. */
export function isWritable(wallet: PlanWallet): wallet is PlanWallet & { walletId: string } {
  return wallet.walletId !== null && wallet.findings.some(isToRepair);
}

/** Whether nothing of a wallet is wrong any more: somebody has repaired it, or an earlier run by the same plan. */
export function isInSync(now: readonly Pick<Said, 'field'>[]): boolean {
  return now.every(({ field }) => field === 'balanceAfter');
}

/**
 * How a wallet differs from the plan now, in words; null where every cache is wrong just as planned.
 * The running balance of entries is no cache: nothing is written there.
 *
 * @param now the caches that are wrong now
 */
export function departure(planned: readonly PlanFinding[], now: readonly Said[]): string | null {
  const before = planned.filter(({ field }) => field !== 'balanceAfter');
  const caches = now.filter(({ field }) => field !== 'balanceAfter');
  const told = [
    ...before.map((one) =>
      compare(
        one,
        caches.find((other) => isSame(one, other)),
      ),
    ),
    ...caches
      .filter((one) => !before.some((other) => isSame(one, other)))
      .map((one) => `${nameOf(one)} was right in the plan, and is ${change(one)} now`),
  ].filter((one) => one !== null);
  return told.length === 0 ? null : told.join('; ');
}

function compare(planned: Said, now: Said | undefined): string | null {
  if (now === undefined)
    return `${nameOf(planned)} was ${change(planned)} in the plan, and is right now`;
  if (planned.cached === now.cached && planned.expected === now.expected) return null;
  return `${nameOf(planned)} was ${change(planned)} in the plan, and is ${change(now)} now`;
}

function isSame(one: Said, other: Said): boolean {
  return one.part === other.part && one.field === other.field;
}

function nameOf({ part, field }: Said): string {
  return `${part}.${field}`;
}

function change({ cached, expected }: Said): string {
  return `${cached ?? 'null'} -> ${expected}`;
}
