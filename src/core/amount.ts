import { TrueupError } from './errors.js';

/** The largest amount of one posting, in coins: what a JSON integer can carry exactly. */
export const MAX_AMOUNT = 9_007_199_254_740_991n;

/** Whole coins as a caller may give them: a bigint, a safe integer, or decimal digits (`'007'` is 7). */
export type Amount = bigint | number | string;

const WHOLE = /^[+-]?[0-9]+$/;
const POSITIVE_WHOLE = /^[0-9]{1,16}$/;
const INTEGER = /^-?[0-9]+$/;
const DIGITS = /^-?[0-9]{1,19}$/;
const DECIMAL = /^(-?)([0-9]+)(?:\.([0-9]+))?$/;

/**
 * Reads a positive amount of whole coins: a bigint, a safe integer, or decimal digits.
 *
 * @returns the amount, or undefined for anything else: zero, negative, a fraction, NaN, a number
 *   that lost digits on its way, text with anything but digits, or more than {@link MAX_AMOUNT}.
 */
export function parseAmount(value: unknown): bigint | undefined {
  if (typeof value === 'string' && !POSITIVE_WHOLE.test(value)) return undefined;
  const amount = parseCoins(value);
  return amount !== undefined && amount > 0n && amount <= MAX_AMOUNT ? amount : undefined;
}

/** The same for coins of any sign and size: how far a balance may go, for instance. */
export function parseCoins(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  return undefined;
}

/**
 * Reads a whole number that the database printed.
 *
 * @throws TrueupError `amount_not_whole` when it is not a whole number.
 */
export function wholeCoins(text: string): bigint {
  if (!WHOLE.test(text)) {
    throw new TrueupError('amount_not_whole', `the database holds ${text} where coins are whole`, {
      hint: 'Coins are whole numbers: map a column that counts the smallest unit.',
    });
  }
  return BigInt(text);
}

/**
 * Exact `expected - cached` of two decimal texts, as PostgreSQL prints numeric.
 *
 * @returns null when one of them is not a finite number (NaN and Infinity can stand in a numeric).
 */
export function difference(expected: string, cached: string): string | null {
  if (INTEGER.test(expected) && INTEGER.test(cached))
    return String(BigInt(expected) - BigInt(cached));
  const left = DECIMAL.exec(expected);
  const right = DECIMAL.exec(cached);
  if (left === null || right === null) return null;
  const scale = Math.max(left[3]?.length ?? 0, right[3]?.length ?? 0);
  return formatScaled(scaled(left, scale) - scaled(right, scale), scale);
}

/** Exact `one + other` of two decimal texts; null as in {@link difference}. */
export function total(one: string, other: string): string | null {
  const negated = difference('0', other);
  return negated === null ? null : difference(one, negated);
}

function scaled(match: RegExpExecArray, scale: number): bigint {
  const digits = (match[2] ?? '') + (match[3] ?? '').padEnd(scale, '0');
  return match[1] === '-' ? -BigInt(digits) : BigInt(digits);
}

function formatScaled(value: bigint, scale: number): string {
  if (scale === 0) return value.toString();
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const fraction = digits.slice(-scale).replace(/0+$/, '');
  const whole = digits.slice(0, -scale);
  return (value < 0n ? '-' : '') + (fraction === '' ? whole : `${whole}.${fraction}`);
}
