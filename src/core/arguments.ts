import { parseCoins } from './amount.js';
import { TrueupError } from './errors.js';

/**
 * What callers hand in, checked once and copied: whatever a program in plain JavaScript may give, it is
 * taken as meant, or refused as `invalid_argument` before anything is sent. The copies have nothing in
 * common with the caller's objects, so changing those later changes no call.
 */

/** The most UTF-16 units that a key, an id, a reason, a currency or a link may have. */
export const MAX_TEXT_LENGTH = 500;

/** The most UTF-16 units that a note may have, or metadata written as JSON. */
export const MAX_NOTE_LENGTH = 100_000;

/**
 * Reads one value that is not undefined: gives it back as it will be used, or refuses it.
 *
 * @param name of the value, and of what it is a field; `''` where it stands alone. Both are for messages.
 */
export type Reader<Value> = (value: unknown, name: string, whose: string) => Value;

/** Which fields an object may have, how each is read, and which it has to have. */
export interface Shape<Value> {
  readonly whose: string;
  readonly readers: ReadonlyMap<string, Reader<unknown>>;
  readonly needed: readonly string[];
  /** Only for the type system: what {@link read} makes of it. */
  readonly of?: Value;
}

/**
 * Describes an object.
 *
 * @param whose for messages: `a credit`
 * @param readers one for every field of its type, so that none can be forgotten
 */
export function shape<Value extends object>(
  whose: string,
  readers: { readonly [Name in keyof Value]-?: Reader<Value[Name]> },
  needed: readonly (keyof Value & string)[] = [],
): Shape<Value> {
  return { whose, readers: new Map(Object.entries<Reader<unknown>>(readers)), needed };
}

/**
 * Copies an object, field by field. A field that is undefined is left out of the copy.
 *
 * @throws TrueupError `invalid_argument`: it is no object, has a field that is not known, lacks one that
 *   is needed, or one cannot be read
 */
export function read<Value>(wanted: Shape<Value>, value: unknown): Value {
  const copy = copyOf(wanted, value);
  for (const name of wanted.needed) {
    if (copy[name] === undefined) throw wrong(`${nameOf(name, wanted.whose)} is missing`);
  }
  return copy as Value;
}

function copyOf({ whose, readers }: Shape<unknown>, value: unknown): Record<string, unknown> {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrong(`${whose} has to be an object, not ${show(value)}`);
    }
    const copy: Record<string, unknown> = {};
    for (const name of Object.keys(value)) {
      const reader = readers.get(name);
      if (reader === undefined) throw unknownField(whose, name, readers);
      const field = (value as Record<string, unknown>)[name];
      if (field !== undefined) copy[name] = reader(field, name, whose);
    }
    return copy;
  } catch (error) {
    throw asWrong(error, whose);
  }
}

/** An accessor or a proxy of the caller has thrown: what it threw is the cause. */
export function asWrong(error: unknown, whose: string): TrueupError {
  if (error instanceof TrueupError) return error;
  return new TrueupError('invalid_argument', `${whose} cannot be read`, { cause: error });
}

function unknownField(
  whose: string,
  name: string,
  readers: ReadonlyMap<string, unknown>,
): TrueupError {
  return new TrueupError('invalid_argument', `${whose} has no field ${show(name)}`, {
    hint: `It may have ${[...readers.keys()].join(', ')}.`,
  });
}

/** Text that is not blank, no longer than {@link MAX_TEXT_LENGTH}, and can be stored as it is. */
export function readText(value: unknown, name: string, whose = ''): string {
  const text = readWords(value, name, whose);
  if (text.length > MAX_TEXT_LENGTH) throw tooLong(name, whose, MAX_TEXT_LENGTH);
  if (text.trim() === '') throw wrong(`${nameOf(name, whose)} cannot be empty`);
  return text;
}

/** What PostgreSQL does not store, or not as it is: then a repeat would not be known again. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** Text of any kind, no longer than {@link MAX_NOTE_LENGTH}, that can be stored as it is. */
export function readWords(value: unknown, name: string, whose = ''): string {
  if (typeof value !== 'string') {
    throw wrong(`${nameOf(name, whose)} has to be text, not ${show(value)}`);
  }
  if (value.length > MAX_NOTE_LENGTH) throw tooLong(name, whose, MAX_NOTE_LENGTH);
  if (UNSTORABLE.test(value)) {
    throw wrong(`${nameOf(name, whose)} cannot hold a null character or half a surrogate pair`);
  }
  return value;
}

function tooLong(name: string, whose: string, most: number): TrueupError {
  return wrong(`${nameOf(name, whose)} is too long: at most ${String(most)} characters`);
}

/** true or false, and nothing that is taken for one of them. */
export function readFlag(value: unknown, name: string, whose = ''): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(`${nameOf(name, whose)} has to be true or false, not ${show(value)}`);
}

/** A whole number between two others. */
export function readWhole(least: number, most: number): Reader<number> {
  return (value, name, whose) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    const range = `from ${String(least)} to ${String(most)}`;
    throw wrong(`${nameOf(name, whose)} has to be a whole number ${range}, not ${show(value)}`);
  };
}

/** Whole coins, below zero too: a bigint, a safe integer, or decimal digits. */
export function readCoins(value: unknown, name: string, whose = ''): bigint {
  const coins = parseCoins(value);
  if (coins !== undefined) return coins;
  throw wrong(`${nameOf(name, whose)} has to be a whole number of coins, not ${show(value)}`);
}

/** One of some words. */
export function readOneOf<Word extends string>(...allowed: readonly Word[]): Reader<Word> {
  return (value, name, whose) => {
    const word = allowed.find((one) => one === value);
    if (word !== undefined) return word;
    throw wrong(`${nameOf(name, whose)} is ${show(value)}: give ${allowed.join(' or ')}`);
  };
}

/** A list, each of whose members the reader takes. */
export function readList<Member>(
  reader: Reader<Member>,
  most = Number.MAX_SAFE_INTEGER,
): Reader<Member[]> {
  return (value, name, whose) => {
    if (!Array.isArray(value)) {
      throw wrong(`${nameOf(name, whose)} has to be a list, not ${show(value)}`);
    }
    if (value.length > most) {
      throw wrong(`${nameOf(name, whose)} has more than ${String(most)} members`);
    }
    // By number, not by its iterator: that is code of its owner.
    return Array.from({ length: value.length }, (_, index) => reader(value[index], name, whose));
  };
}

/** The same, or null. */
export function orNull<Value>(reader: Reader<Value>): Reader<Value | null> {
  return (value, name, whose) => (value === null ? null : reader(value, name, whose));
}

/** What is judged elsewhere. */
export function readAnything(value: unknown): unknown {
  return value;
}

/** What was given, for a message: short, whatever it is, and without running any code of its owner. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
    case 'bigint':
      return value > -LARGE && value < LARGE ? String(value) : 'a very large number';
    case 'object':
      return value === null ? 'null' : 'an object';
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'undefined':
      return 'undefined';
    case 'boolean':
    case 'number':
      return String(value);
  }
}

/** Beyond it, printing a number takes more room than it tells, and in the end more time. */
const LARGE = 10n ** 30n;

/** An argument that is not allowed. */
export function wrong(message: string): TrueupError {
  return new TrueupError('invalid_argument', message);
}

function nameOf(name: string, whose: string): string {
  return whose === '' ? name : `${name} of ${whose}`;
}
