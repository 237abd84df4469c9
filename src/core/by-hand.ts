import type { CacheComparison, EntryFact, Facts, Part } from './comparison.js';
import { toUnits } from './sums.js';

/** Whether the recorded writes repeat what entries of the same transaction have said. */
export function writtenWithEntries(
  facts: Facts,
  part: Part,
): {
  readonly whole: { readonly balance: boolean; readonly earnings: boolean };
  readonly entries: readonly EntryFact[];
} {
  const entries = new Set<EntryFact>();
  const repeats = (field: CacheComparison['field'], amount: 'amount' | 'earned'): boolean => {
    const written = facts.writes.find((one) => one.part === part && one.field === field);
    return [...(written?.last ?? [undefined])].every((write) => {
      const [from, to] = [toUnits(write?.oldValue ?? ''), toUnits(write?.newValue ?? '')];
      if (from === undefined || to === undefined) return false;
      const entry = facts.entries.find(
        (one) => one.transaction === write?.transaction && toUnits(one[amount]) === to - from,
      );
      if (entry !== undefined) entries.add(entry);
      return entry !== undefined;
    });
  };
  const whole = {
    balance: repeats('balance', 'amount'),
    earnings: repeats('lifetimeEarnings', 'earned'),
  };
  return { whole, entries: [...entries] };
}
