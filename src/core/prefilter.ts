import { isNothing, LONGEST_RUN, type Lack } from './sums.js';

/**
 * Whether entries can be what a part lacks, in either direction, by their amounts alone. Plain numbers
 * and no memory: it is asked for every drifted wallet, and mostly answers no. It never answers no
 * where {@link History.addingUpTo} would find something.
 *
 * @param amounts of the last entries, the newest first; what is no whole number can be anything
 */
export function couldAddUpTo(
  lack: Lack,
  amounts: readonly number[],
  transactions: readonly string[],
): boolean {
  if (isNothing(lack)) return false;
  const { balance } = lack;
  // Where only the earnings differ the amounts do not tell.
  if (balance === undefined || balance === 0n) return true;
  const target = Number(balance) / 1_000_000;
  if (!Number.isSafeInteger(target) || !amounts.every(Number.isSafeInteger)) return true;
  return fitsRun(target, amounts) || fitsTransaction(target, amounts, transactions);
}

function fitsRun(target: number, values: readonly number[]): boolean {
  for (let from = 0; from < values.length; from += 1) {
    // Any tail can be all there is since the caches were right.
    const longest = from === 0 ? values.length : LONGEST_RUN;
    let sum = 0;
    for (let to = from; to < Math.min(from + longest, values.length); to += 1) {
      sum += values[to] ?? 0;
      if (sum === target || sum === -target) return true;
    }
  }
  return false;
}

function fitsTransaction(
  target: number,
  values: readonly number[],
  transactions: readonly string[],
): boolean {
  const sums = new Map<string, number>();
  values.forEach((value, place) => {
    const transaction = transactions[place] ?? '';
    sums.set(transaction, (sums.get(transaction) ?? 0) + value);
  });
  for (const sum of sums.values()) if (sum === target || sum === -target) return true;
  return false;
}
