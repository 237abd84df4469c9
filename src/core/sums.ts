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
export const LONGEST_RUN = 4;

/** The longest tail of the history that is taken for one. */
export const LONGEST_TAIL = 8;

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

/** Only what somebody lacks indeed: of the rest nothing is asked. */
export function withoutNothing({ balance, earnings }: Lack): Lack {
  return {
    ...(balance === undefined || balance === 0n ? {} : { balance }),
    ...(earnings === undefined || earnings === 0n ? {} : { earnings }),
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

/** Digits after the point that are reckoned with: an application's numeric caches may have some. */
const SCALE = 6;
const UNITS = 1_000_000n;
const WHOLE = /^-?[0-9]+$/;
const DECIMAL = /^(-?)([0-9]+)\.([0-9]{1,6})$/;

/** A decimal text in millionths of a coin; undefined for what is no such number. */
export function toUnits(text: string): bigint | undefined {
  if (WHOLE.test(text)) return BigInt(text) * UNITS;
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

/** Some entries, the newest first, with their amounts read once. */
export class History {
  readonly entries: readonly EntryFact[];
  readonly #all: boolean;
  /** Sums over the first n entries; shorter where an amount is no finite number. */
  readonly #balances: bigint[] = [0n];
  readonly #earnings: bigint[] = [0n];

  /** @param all whether these are all entries of the wallet */
  constructor(entries: readonly EntryFact[], all: boolean) {
    this.entries = entries;
    this.#all = all;
    let [balance, earnings] = [0n, 0n];
    for (const { amount, earned } of entries) {
      const [one, more] = [toUnits(amount), toUnits(earned)];
      if (one === undefined || more === undefined) break;
      balance += one;
      earnings += more;
      this.#balances.push(balance);
      this.#earnings.push(earnings);
    }
  }

  /**
   * The entries that add up to exactly this. Only sets that one fault can make are looked at, because
   * among all sets of a long history one that fits by chance would always be found. In this order:
   * one entry, the entries of one transaction, the last few, all that there are, a short run. Of
   * several that fit, the newest.
   */
  addingUpTo(lack: Lack): readonly EntryFact[] {
    if (isNothing(lack)) return [];
    const known = this.#balances.length - 1;
    for (let n = 0; n < known; n += 1) {
      if (this.#fits(lack, n, n + 1)) return this.entries.slice(n, n + 1);
    }
    const together = this.#ofOneTransaction(lack);
    if (together !== undefined) return together;
    for (let to = 2; to <= Math.min(LONGEST_TAIL, known); to += 1) {
      if (this.#fits(lack, 0, to)) return this.entries.slice(0, to);
    }
    if (this.#all && known === this.entries.length && this.#fits(lack, 0, known)) {
      return this.entries;
    }
    for (let from = 1; from < known; from += 1) {
      for (let to = from + 2; to <= Math.min(from + LONGEST_RUN, known); to += 1) {
        if (this.#fits(lack, from, to)) return this.entries.slice(from, to);
      }
    }
    return [];
  }

  /** Compares without making anything: it is done some hundred times for each drifted wallet. */
  #fits({ balance, earnings }: Lack, from: number, to: number): boolean {
    return (
      (balance === undefined ||
        (this.#balances[to] ?? 0n) - (this.#balances[from] ?? 0n) === balance) &&
      (earnings === undefined ||
        (this.#earnings[to] ?? 0n) - (this.#earnings[from] ?? 0n) === earnings)
    );
  }

  #ofOneTransaction(lack: Lack): readonly EntryFact[] | undefined {
    const groups = new Map<string, EntryFact[]>();
    for (const entry of this.entries.slice(0, this.#balances.length - 1)) {
      const group = groups.get(entry.transaction);
      if (group === undefined) groups.set(entry.transaction, [entry]);
      else group.push(entry);
    }
    for (const group of groups.values()) {
      const sum = group.length > 1 ? sumOf(group) : undefined;
      if (sum !== undefined && isExactly(lack, sum)) return group;
    }
    return undefined;
  }
}

/** The sum of some entries; undefined where one of them is no finite number. */
export function sumOf(entries: readonly EntryFact[]): Sum | undefined {
  let [balance, earnings] = [0n, 0n];
  for (const { amount, earned } of entries) {
    const [one, more] = [toUnits(amount), toUnits(earned)];
    if (one === undefined || more === undefined) return undefined;
    balance += one;
    earnings += more;
  }
  return { balance, earnings };
}
