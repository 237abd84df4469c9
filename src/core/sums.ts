import type { EntryFact } from './comparison.js';

/** What some entries, or some writes, move: the balance, and the lifetime earnings, in millionths. */
export interface Sum {
  readonly balance: bigint;
  readonly earnings: bigint;
}

/** What a part lacks. A field that it does not keep, or that holds no number, is not known. */
export interface Lack {
  readonly balance?: bigint;
  readonly earnings?: bigint;
}

const ZERO: Sum = { balance: 0n, earnings: 0n };

/** The longest run of entries that is taken for one fault, where nothing else holds it together. */
const LONGEST_RUN = 4;

/** The longest tail of the history that is taken for one. */
const LONGEST_TAIL = 8;

export function plus(left: Sum, right: Sum): Sum {
  return { balance: left.balance + right.balance, earnings: left.earnings + right.earnings };
}

/** What is still lacking once a sum is accounted for. */
export function less({ balance, earnings }: Lack, sum: Sum): Lack {
  return {
    ...(balance === undefined ? {} : { balance: balance - sum.balance }),
    ...(earnings === undefined ? {} : { earnings: earnings - sum.earnings }),
  };
}

export function negated({ balance, earnings }: Lack): Lack {
  return {
    ...(balance === undefined ? {} : { balance: -balance }),
    ...(earnings === undefined ? {} : { earnings: -earnings }),
  };
}

/** Whether a sum is exactly what is lacking, as far as that is known. */
export function isExactly({ balance, earnings }: Lack, sum: Sum): boolean {
  return (
    (balance === undefined || balance === sum.balance) &&
    (earnings === undefined || earnings === sum.earnings)
  );
}

export function isNothing(lack: Lack): boolean {
  return isExactly(lack, ZERO);
}

/** The sum of some entries; undefined where one of them is no finite number. */
export function sumOf(entries: readonly EntryFact[]): Sum | undefined {
  let sum = ZERO;
  for (const entry of entries) {
    const one = amountsOf(entry);
    if (one === undefined) return undefined;
    sum = plus(sum, one);
  }
  return sum;
}

function amountsOf({ amount, earned }: EntryFact): Sum | undefined {
  const [balance, earnings] = [toUnits(amount), toUnits(earned)];
  return balance === undefined || earnings === undefined ? undefined : { balance, earnings };
}

/** Digits after the point that are reckoned with: an application's numeric caches may have some. */
const SCALE = 6;
const DECIMAL = /^(-?)([0-9]+)(?:\.([0-9]{1,6}))?$/;

/** A decimal text in millionths of a coin; undefined for what is no such number. */
export function toUnits(text: string): bigint | undefined {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = BigInt(whole + fraction.padEnd(SCALE, '0'));
  return sign === '-' ? -digits : digits;
}

/** The canonical text of an amount in millionths. */
export function fromUnits(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  const point = fraction === '' ? '' : `.${fraction}`;
  return `${units < 0n ? '-' : ''}${digits.slice(0, -SCALE)}${point}`;
}

/**
 * The entries that add up to exactly this. Only sets that one fault can make are looked at, because
 * among all sets of a long history one that fits by chance would always be found. In this order: one
 * entry, the entries of one transaction, the last few, all that there are, a short run. Of several
 * that fit, the newest.
 *
 * @param entries the last entries of a wallet, the newest first
 * @param all whether these are all its entries
 */
export function entriesAddingUpTo(
  lack: Lack,
  entries: readonly EntryFact[],
  all: boolean,
): readonly EntryFact[] {
  if (isNothing(lack) || (lack.balance === undefined && lack.earnings === undefined)) return [];
  const fits = (some: readonly EntryFact[]): boolean => {
    const sum = sumOf(some);
    return sum !== undefined && isExactly(lack, sum);
  };
  for (const entry of entries) if (fits([entry])) return [entry];
  for (const some of transactionsOf(entries)) if (some.length > 1 && fits(some)) return some;
  return tailOrRun(lack, entries, all);
}

function transactionsOf(entries: readonly EntryFact[]): Iterable<EntryFact[]> {
  const groups = new Map<string, EntryFact[]>();
  for (const entry of entries) {
    const group = groups.get(entry.transaction);
    if (group === undefined) groups.set(entry.transaction, [entry]);
    else group.push(entry);
  }
  return groups.values();
}

/** Walks over running sums, so that the work grows with the entries and not with the runs. */
function tailOrRun(lack: Lack, entries: readonly EntryFact[], all: boolean): readonly EntryFact[] {
  const running: Sum[] = [ZERO];
  for (const entry of entries) {
    const one = amountsOf(entry);
    if (one === undefined) break;
    running.push(plus(running.at(-1) ?? ZERO, one));
  }
  const fits = (from: number, to: number): boolean => {
    const before = running[from] ?? ZERO;
    const { balance, earnings } = running[to] ?? ZERO;
    return isExactly(lack, {
      balance: balance - before.balance,
      earnings: earnings - before.earnings,
    });
  };
  const known = running.length - 1;
  for (let to = 2; to <= Math.min(LONGEST_TAIL, known); to += 1) {
    if (fits(0, to)) return entries.slice(0, to);
  }
  if (all && known === entries.length && fits(0, known)) return entries;
  for (let from = 1; from < known; from += 1) {
    for (let to = from + 2; to <= Math.min(from + LONGEST_RUN, known); to += 1) {
      if (fits(from, to)) return entries.slice(from, to);
    }
  }
  return [];
}
