import type { Comparison, Facts } from './comparison.js';
import { History } from './sums.js';

/** Which entries of a wallet can be what makes its caches differ. */

/** The entries of a wallet that may have been missed, or applied twice. */
export function historyOf(row: Comparison, facts: Facts): History {
  const entries = facts.entries.filter((entry) => canBeMeant(entry.createdAt, facts));
  return new History(entries, entries.length === Number(row.entryCount));
}

/**
 * The entries made since the caches were last right: all of them are a set that one fault can make. Of
 * those without a time it is not known, so they are not left out.
 */
export function recentOf({ entryCount }: Comparison, facts: Facts): History {
  const { entries, rightAt } = facts;
  const since = rightAt ?? facts.installedAt ?? '';
  const old = entries.findIndex(({ createdAt }) => createdAt !== null && createdAt < since);
  const recent = old < 0 ? entries : entries.slice(0, old);
  return new History(recent, old >= 0 || entries.length === Number(entryCount));
}

/** What was written before anybody followed the ledger did not go missing since. */
function canBeMeant(createdAt: string | null, { installedAt, rightAt }: Facts): boolean {
  if (installedAt === null || rightAt !== null) return true;
  return createdAt !== null && createdAt >= installedAt;
}
