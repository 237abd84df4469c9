import { describe, expect, test } from 'vitest';
import { REFUSAL_CODES, type RefusalCode } from '../../src/core/posting/refusals.js';
import type { PostItem } from '../../src/core/posting/request.js';
import { decided, words } from '../support/decision.js';
import { FAULTS, blank, type Verb } from '../support/faults.js';

/**
 * Where several refusals apply, the first of REFUSAL_CODES is told. For every verb, every pair of
 * faults that one item can have at once is built and decided; the pairs that no item can have are
 * listed here with the reason, and the two lists together are all pairs there are.
 */

const VERBS = Object.keys(FAULTS) as Verb[];

interface Pair {
  readonly verb: Verb;
  readonly first: RefusalCode;
  readonly second: RefusalCode;
}

/** Pairs of codes in order of precedence, as `first second`. */
function nameOf({ first, second }: Pick<Pair, 'first' | 'second'>): string {
  return `${first} ${second}`;
}

const PAIRS: Pair[] = VERBS.flatMap((verb) =>
  REFUSAL_CODES.flatMap((first, index) =>
    REFUSAL_CODES.slice(index + 1)
      .filter((second) => FAULTS[verb].faults[first] && FAULTS[verb].faults[second])
      .filter((second) => !FAULTS[verb].never.includes(nameOf({ first, second })))
      .map((second) => ({ verb, first, second })),
  ),
);

/** Decides an item with these faults, in a link with a second item. */
function decideWith(verb: Verb, codes: readonly RefusalCode[], ...linked: PostItem[]): string[] {
  const world = blank(verb);
  for (const code of codes) FAULTS[verb].faults[code]?.(world);
  const items = linked.length === 0 ? [world.item] : [{ ...world.item, link: 'x' }, ...linked];
  return words(decided(world.state(), ...items));
}

describe('alone', () => {
  test.each(VERBS)('%s without a fault is not refused', (verb) => {
    expect(decideWith(verb, [])).toEqual([FAULTS[verb].success]);
  });

  test.each(
    VERBS.flatMap((verb) =>
      (Object.keys(FAULTS[verb].faults) as RefusalCode[]).map((code) => ({ verb, code })),
    ),
  )('$verb: $code', ({ verb, code }) => {
    expect(decideWith(verb, [code])).toEqual([code]);
  });

  test('every code is the fault of some verb, but for that of links', () => {
    const tried = new Set(VERBS.flatMap((verb) => Object.keys(FAULTS[verb].faults)));
    expect(REFUSAL_CODES.filter((code) => !tried.has(code))).toEqual(['linked_item_refused']);
  });
});

describe('in pairs', () => {
  test.each(PAIRS)('$verb: $first goes before $second', ({ verb, first, second }) => {
    expect(decideWith(verb, [first, second])).toEqual([first]);
    expect(decideWith(verb, [second, first])).toEqual([first]);
  });

  test.each(VERBS)('%s: its own code goes before that of its link', (verb) => {
    const refused: PostItem = {
      type: 'debit',
      walletId: 'nowhere',
      amount: 1n,
      reason: 'correction',
      link: 'x',
    };
    for (const code of Object.keys(FAULTS[verb].faults) as RefusalCode[]) {
      expect(decideWith(verb, [code], refused)).toEqual([code, 'unknown_wallet']);
    }
    expect(decideWith(verb, [], refused)).toEqual(['linked_item_refused', 'unknown_wallet']);
  });

  test.each(VERBS)('%s: of all that is wrong with things that exist, the first', (verb) => {
    const codes = REFUSAL_CODES.filter((code) => FAULTS[verb].faults[code] !== undefined);
    const present = codes.filter((code) => !code.startsWith('unknown_'));
    for (const [index, code] of present.entries()) {
      expect(decideWith(verb, present.slice(index))).toEqual([code]);
    }
    expect(present.length).toBeGreaterThan(2);
  });
});

/** Which verb can be refused with which code; a pair of codes without a common verb cannot meet. */
const KNOWN: Readonly<Record<RefusalCode, readonly Verb[]>> = {
  invalid_amount: ['credit', 'debit', 'transfer', 'hold', 'capture', 'reverse'],
  idempotency_conflict: ['credit', 'debit', 'transfer', 'hold', 'capture', 'release', 'reverse'],
  unknown_reason: ['credit', 'debit', 'transfer', 'hold', 'reverse'],
  reason_not_allowed: ['credit', 'debit', 'transfer', 'hold', 'reverse'],
  unknown_wallet: ['credit', 'debit', 'transfer', 'hold', 'capture'],
  unknown_entry: ['reverse'],
  unknown_hold: ['capture', 'release'],
  same_wallet: ['transfer', 'capture'],
  currency_mismatch: ['credit', 'debit', 'transfer', 'hold', 'capture'],
  wallet_frozen: ['credit', 'debit', 'transfer', 'hold', 'capture', 'reverse'],
  already_reversed: ['reverse'],
  hold_closed: ['capture', 'release'],
  hold_expired: ['capture', 'release'],
  exceeds_original: ['reverse'],
  exceeds_hold: ['capture'],
  insufficient_funds: ['debit', 'transfer', 'hold', 'reverse'],
  limit_exceeded: ['debit', 'transfer', 'hold'],
  ceiling_exceeded: ['credit', 'transfer', 'capture', 'reverse'],
  linked_item_refused: [],
};

/** Pairs that share a verb and still cannot meet in one item, and why. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  'unknown_reason reason_not_allowed': 'a reason is in the registry or it is not',
  'unknown_entry already_reversed': 'there is no entry to look at',
  'unknown_entry exceeds_original': 'there is no entry to look at',
  'unknown_entry wallet_frozen': 'there is no entry, so there is no wallet',
  'unknown_entry insufficient_funds': 'there is no entry, so there is no wallet',
  'unknown_entry ceiling_exceeded': 'there is no entry, so there is no wallet',
  'unknown_hold same_wallet': 'there is no hold, so there is no wallet of it',
  'unknown_hold hold_closed': 'there is no hold to look at',
  'unknown_hold hold_expired': 'there is no hold to look at',
  'unknown_hold exceeds_hold': 'there is no hold to look at',
};

test('these are all pairs: each was decided, or cannot meet', () => {
  const tried = new Set(PAIRS.map(nameOf));
  const untried = REFUSAL_CODES.flatMap((first, index) =>
    REFUSAL_CODES.slice(index + 1)
      .filter((second) => second !== 'linked_item_refused') // Decided above, for every verb.
      .filter((second) => !tried.has(nameOf({ first, second })))
      .filter((second) => VERBS.some((verb) => knows(verb, first) && knows(verb, second)))
      .map((second) => nameOf({ first, second })),
  );
  expect(untried.sort()).toEqual(Object.keys(IMPOSSIBLE).sort());
  for (const code of REFUSAL_CODES) {
    const faulty = VERBS.filter((verb) => FAULTS[verb].faults[code] !== undefined);
    expect([code, faulty.sort()]).toEqual([code, [...KNOWN[code]].sort()]);
  }
});

function knows(verb: Verb, code: RefusalCode): boolean {
  return KNOWN[code].includes(verb);
}
