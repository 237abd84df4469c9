import { expect, test } from 'vitest';
import { causesOf, firstCause } from '../../src/core/causes.js';
import type { Comparison } from '../../src/core/comparison.js';
import { CAUSES } from '../../src/core/evidence.js';
import {
  breakOf,
  broken,
  decide,
  entries,
  FAILURE,
  GAP,
  pending,
  RIGHT,
  row,
  T,
  write,
} from '../support/facts.js';

/** The decision alone: facts in, cause and evidence out. */

test.each<[string, Comparison, string[]]>([
  ['nothing on record', row(['1', '530', '523', '530'], {}), ['unknown']],
  [
    'nothing, and no sync',
    row(['1', '530', '523', '530'], { installedAt: null, rightAt: null }),
    ['unknown'],
  ],
  [
    'nothing, and never verified',
    row(['1', '530', '523', '530'], { rightAt: null }),
    ['before_adoption'],
  ],
  [
    'an entry missing from both parts',
    row(['493', '500', '493', '500'], {}),
    Array(4).fill('entry_missed'),
  ],
  [
    'a debit missing from both parts',
    row(['530', '530', '530', '530'], {}),
    Array(2).fill('entry_missed'),
  ],
  [
    'an entry missing from the profile alone',
    row(['523', '530', '493', '500'], {}),
    Array(2).fill('entry_missed'),
  ],
  [
    'an entry made before the sync, never verified',
    row(['493', '500', '493', '500'], { rightAt: null, installedAt: T(40) }),
    Array(4).fill('before_adoption'),
  ],
  [
    'an entry made after it, never verified',
    row(['493', '500', '493', '500'], { rightAt: null, installedAt: T(34) }),
    Array(4).fill('entry_missed'),
  ],
  [
    'different amounts missing from the parts',
    row(['493', '500', '23', '30'], {}),
    Array(4).fill('unknown'),
  ],
  [
    'an entry there twice',
    row(['553', '560', '553', '560'], {}),
    Array(4).fill('entry_applied_twice'),
  ],
  [
    "an entry there twice in the wallet's balance alone",
    row(['1023', '530', '523', '530'], {}),
    ['entry_applied_twice'],
  ],
  [
    "an entry there twice in the profile's balance alone",
    row(['523', '530', '553', '530'], {}),
    ['entry_applied_twice'],
  ],
  [
    'an entry there twice in both balances, and in the earnings of one',
    row(['553', '530', '553', '560'], {}),
    Array(3).fill('entry_applied_twice'),
  ],
  [
    'an entry there twice in the earnings alone',
    row(['523', '1030', '523', '530'], {}),
    ['entry_applied_twice'],
  ],
  [
    'more than a few entries there twice: all since the caches were right',
    row(
      ['588', '530', '523', '530'],
      {
        entries: entries(
          ...Array.from({ length: 10 }, (_, n) => `${String(n + 2)}@3${String(9 - n)}`),
          '900@5',
        ),
      },
      { entryCount: '11' },
    ),
    ['entry_applied_twice'],
  ],
  [
    'a balance with an entry more that was made before the caches were right',
    row(['553', '530', '523', '530'], { entries: entries('-7@33', '30@19', '500@15') }),
    ['unknown'],
  ],
  [
    'balances with different entries more',
    row(['553', '530', '1023', '530'], {}),
    Array(2).fill('unknown'),
  ],
  ['a balance without its earnings', row(['493', '530', '523', '530'], {}), ['unknown']],
  [
    'entries in a gap',
    row(['30', '30', '30', '30'], { gaps: [GAP] }),
    Array(4).fill('triggers_absent'),
  ],
  [
    'an entry behind the gap',
    row(['493', '500', '493', '500'], { gaps: [GAP] }),
    Array(4).fill('entry_missed'),
  ],
  [
    'a gap, and no times',
    row(['493', '500', '493', '500'], { gaps: [GAP], entries: entries('30', '-7', '500') }),
    Array(4).fill('triggers_absent'),
  ],
  [
    'many entries in a gap',
    row(['20', '20', '20', '20'], {
      entries: [],
      windows: (['wallet', 'profile'] as const).map((part) => ({
        part,
        gap: GAP,
        entries: '900',
        firstEntryId: '1',
        lastEntryId: '900',
        amount: '503',
        earned: '510',
      })),
    }),
    Array(4).fill('triggers_absent'),
  ],
  [
    'a failure, its transaction known',
    row(['523', '530', '530', '530'], { failures: [FAILURE] }),
    ['sync_failed'],
  ],
  [
    'a failure, its transaction unknown',
    row(['523', '530', '530', '530'], { failures: [{ ...FAILURE, transaction: 'z' }] }),
    ['sync_failed'],
  ],
  [
    'a failure that does not explain it',
    row(['523', '530', '1', '530'], { failures: [FAILURE] }),
    ['sync_failed but 529'],
  ],
  [
    'a failure says nothing about the wallet',
    row(['1', '530', '530', '530'], { failures: [FAILURE] }),
    ['unknown', 'sync_failed'],
  ],
  [
    'a write that explains all',
    row(['540', '530', '523', '530'], { writes: [write('wallet', 'balance', '17')] }),
    ['direct_write'],
  ],
  [
    'a write that explains a part',
    row(['560', '530', '523', '530'], { writes: [write('wallet', 'balance', '17')] }),
    ['direct_write but -20'],
  ],
  [
    'a write of another cache',
    row(['540', '530', '523', '530'], { writes: [write('profile', 'balance', '17')] }),
    ['unknown'],
  ],
  [
    'writes that came to nothing',
    row(['540', '530', '523', '530'], { writes: [write('wallet', 'balance', '0')] }),
    ['unknown'],
  ],
  [
    'a null that was written',
    row([null, '530', '523', '530'], { writes: [write('wallet', 'balance', null, null)] }),
    ['direct_write'],
  ],
  ['a null of which nothing is known', row([null, '530', '523', '530'], {}), ['unknown']],
  [
    'an edited credit',
    row(
      ['623', '630', '623', '630'],
      { chain: breakOf('100', '500') },
      { caches: [...row(['623', '630', '623', '630'], {}).caches, broken] },
    ),
    Array(5).fill('ledger_changed'),
  ],
  [
    'a deleted debit',
    row(
      ['503', '530', '503', '530'],
      { chain: breakOf('-20', '500') },
      { caches: [...row(['503', '530', '503', '530'], {}).caches, broken] },
    ),
    Array(3).fill('ledger_changed'),
  ],
  [
    'an old break that explains nothing',
    row(
      ['1', '530', '523', '530'],
      { chain: breakOf('100', '500') },
      { caches: [...row(['1', '530', '523', '530'], {}).caches, broken] },
    ),
    ['unknown', 'ledger_changed'],
  ],
  [
    'pending coins without hold',
    row(RIGHT, { holds: { open: '1', held: '4' } }, { caches: [pending] }),
    ['hold_leaked'],
  ],
  [
    'pending coins that somebody wrote',
    row(
      RIGHT,
      { writes: [{ ...write('wallet', 'balance', '5'), field: 'pendingBalance' }] },
      { caches: [pending] },
    ),
    ['direct_write'],
  ],
  [
    'pending coins, written in part',
    row(
      RIGHT,
      { writes: [{ ...write('wallet', 'balance', '2'), field: 'pendingBalance' }] },
      { caches: [pending] },
    ),
    ['direct_write+hold_leaked'],
  ],
  [
    'coins without history, also when written',
    row(
      ['9', '0', '0', '0'],
      { writes: [write('wallet', 'balance', '9')] },
      {
        entryCount: '0',
        caches: [{ part: 'wallet', field: 'balance', cached: '9', expected: '0' }],
      },
    ),
    ['no_history+direct_write'],
  ],
  [
    'a failure for want of a profile',
    row(['523', '530', null, null], { failures: [FAILURE] }, { profileExists: false }),
    Array(2).fill('profile_missing+sync_failed'),
  ],
])('%s', (_, one, expected) => {
  expect(decide(one)).toEqual(expected);
});

test('evidence names entries, not all of them, and tells ids and amounts as text', () => {
  const one = row(['493', '500', '493', '500'], {});
  const [balance] = one.caches;
  if (balance === undefined) throw new Error('there is no cache');
  expect(causesOf(one)(balance).evidence).toEqual({
    entries: [{ id: '3', amount: '30', createdAt: T(35) }],
  });
});

test('precedence is the order of the list', () => {
  for (const [place, cause] of CAUSES.entries()) {
    expect(firstCause(new Set(CAUSES.slice(place).reverse()))).toBe(cause);
  }
  expect(firstCause(new Set())).toBe('unknown');
});
