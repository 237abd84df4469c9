import { expect } from 'vitest';
import { TrueupError } from '../../src/index.js';
import type { TestDatabase } from './database.js';

/** What programs in plain JavaScript may hand in, by mistake or on purpose. */

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function explode(): never {
  throw new RangeError('boom');
}

/** Values that are the right thing nowhere. By name, because some of them cannot be printed. */
export const HOSTILE: Readonly<Record<string, unknown>> = {
  null: null,
  'a number': 5,
  'no number': Number.NaN,
  'a fraction': 1.5,
  'a bigint': 5n,
  'a huge bigint': 2n ** 70n,
  true: true,
  'a symbol': Symbol('s'),
  'a function': () => 'x',
  'an empty list': [],
  'a list of nothing': [null],
  'a list with a hole': Object.assign([], { length: 1 }),
  'a list of lists': [[]],
  'an endless list': Object.assign([], { length: 2 ** 32 - 1 }),
  'an empty object': {},
  'a bare object': Object.create(null) as unknown,
  'an unknown field': { unheard: 1 },
  'a prototype as field': JSON.parse('{"__proto__":{"walletId":"1"}}') as unknown,
  'inherited fields': Object.create({ walletId: '1', amount: 1n, reason: 'winner' }) as unknown,
  'a set': new Set(['x']),
  'a map': new Map([['x', 1]]),
  'a date': new Date(0),
  'no date': new Date(Number.NaN),
  'a promise': Promise.resolve('x'),
  'an error': new Error('x'),
  bytes: Buffer.from('x'),
  'a getter that throws': Object.defineProperty({}, 'walletId', { enumerable: true, get: explode }),
  'a proxy that throws': new Proxy({}, { ownKeys: explode, get: explode, has: explode }),
  'a list that throws': new Proxy([], { get: explode }),
  'a revoked proxy': revoked(),
  'text that explodes': { toString: explode, valueOf: explode, toJSON: explode },
};

/** Objects without any own field: nothing is asked for, which some methods understand. */
export const FIELDLESS = [
  ...['an empty object', 'a bare object', 'inherited fields', 'a set', 'a map', 'a date'],
  ...['no date', 'a promise', 'an error'],
];

/** Text that is none for a key, an id or a name. */
export const NO_NAME: Readonly<Record<string, unknown>> = {
  'empty text': '',
  'blank text': ' \t ',
  'a null character': 'a\0b',
  'half a pair': 'a\ud800',
  'too long': 'x'.repeat(501),
};

/** What only an accident of the program says. */
const INTERNALS = /is not a function|Cannot|BigInt|iterable|call stack|properties of|boom/;

/** How a call ended: a code, a status, or `done`; anything but a TrueupError fails the test. */
export async function endOf(call: () => unknown): Promise<string> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(TrueupError);
    const { code, message } = error as TrueupError;
    expect(message).not.toMatch(INTERNALS);
    expect(message.length).toBeLessThan(600);
    return code;
  }
  const [first] = Array.isArray(answer) ? (answer as unknown[]) : [answer];
  if (typeof first !== 'object' || first === null || !('status' in first)) return 'done';
  return 'code' in first ? String(first.code) : String(first.status);
}

/** The same for many values at once: what each came to, by its name. */
export async function endsOf(
  values: Readonly<Record<string, unknown>>,
  call: (value: unknown) => unknown,
): Promise<Record<string, string>> {
  const ends = await Promise.all(
    Object.entries(values).map(async ([name, value]) => [name, await endOf(() => call(value))]),
  );
  return Object.fromEntries(ends) as Record<string, string>;
}

/** What {@link endsOf} gives where every value comes to the same. */
export function all(values: Readonly<Record<string, unknown>>, end: string): object {
  return Object.fromEntries(Object.keys(values).map((name) => [name, end]));
}

/** All that Trueup's own tables hold, but for what only looking may leave behind, as one text. */
export async function everything(db: TestDatabase): Promise<string> {
  const parts = ['entries', 'holds', 'wallets', 'profiles', 'spending_limits'].map((table) =>
    db.value(`SELECT coalesce(jsonb_agg(t ORDER BY t.id), '[]')::text FROM trueup.${table} AS t`),
  );
  return (await Promise.all(parts)).join('\n');
}
