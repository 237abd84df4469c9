import { describe, expect, test } from 'vitest';
import type { PostItem } from '../../src/core/posting/request.js';
import type { EarlierUse } from '../../src/core/posting/state.js';
import {
  NOW,
  decided,
  entry,
  hold,
  lines,
  wallet,
  words,
  type World,
} from '../support/decision.js';

/** Idempotency: the same key and payload give the first result, another payload a conflict. */

const KEY = { idempotencyKey: 'k' };
const DETAILS = { note: 'n', actor: 'ada', metadata: { a: 1, b: [2] } };
const KEPT = { note: 'n', actor: 'ada', metadata: '{"a":1,"b":[2]}' };

interface Case {
  /** What the database remembers of the first call. */
  readonly used: EarlierUse;
  /** The first call again. */
  readonly item: PostItem;
  readonly replay: string;
  /** Changes of the payload, and the field that the conflict names. */
  readonly others: readonly (readonly [Readonly<Record<string, unknown>>, string])[];
}

const OTHER_DETAILS = [
  [{ note: 'm' }, 'note'],
  [{ note: undefined }, 'note'],
  [{ actor: 'eve' }, 'actor'],
  [{ actor: undefined }, 'actor'],
  [{ metadata: { a: 1 } }, 'metadata'],
  [{ metadata: { a: 1, b: ['2'] } }, 'metadata'],
  [{ metadata: undefined }, 'metadata'],
] as const;

const posted = (...entries: Extract<EarlierUse, { kind: 'entries' }>['entries']): EarlierUse => ({
  kind: 'entries',
  entries,
});

const CASES: Readonly<Record<PostItem['type'], Case>> = {
  credit: {
    used: posted(entry('5', '1', 10n, KEPT)),
    item: { type: 'credit', walletId: '1', amount: 10n, reason: 'winner', ...DETAILS },
    replay: 'posted before',
    others: [
      [{ amount: 11n }, 'amount'],
      [{ walletId: '2' }, 'wallet'],
      [{ walletId: 'nowhere' }, 'wallet'],
      [{ currency: 'gems' }, 'currency'],
      [{ reason: 'top4' }, 'reason'],
      [{ reason: 'nonsense' }, 'reason'],
      [{ type: 'debit' }, 'amount'],
      [{ type: 'hold' }, 'kind'],
      ...OTHER_DETAILS,
    ],
  },
  debit: {
    used: posted(entry('5', '1', -10n, { ...KEPT, reason: 'correction' })),
    item: { type: 'debit', walletId: '1', amount: '10', reason: 'correction', ...DETAILS },
    replay: 'posted before',
    others: [
      [{ amount: 9 }, 'amount'],
      [{ type: 'credit' }, 'amount'],
      [{ walletId: '2' }, 'wallet'],
      [{ type: 'transfer', from: { walletId: '1' }, to: { walletId: '2' } }, 'counterparty'],
      [{ type: 'hold' }, 'kind'],
      ...OTHER_DETAILS,
    ],
  },
  transfer: {
    used: posted(
      entry('5', '1', -10n, { ...KEPT, reason: 'p2p_transfer', counterparty: '2' }),
      entry('6', '2', 10n, { ...KEPT, reason: 'p2p_transfer', counterparty: '1' }),
    ),
    item: {
      type: 'transfer',
      from: { walletId: '1' },
      to: { walletId: '2' },
      amount: 10n,
      ...DETAILS,
    },
    replay: 'posted before',
    others: [
      [{ amount: 1n }, 'amount'],
      [{ to: { walletId: '3' } }, 'counterparty'],
      [{ from: { walletId: '2' }, to: { walletId: '1' } }, 'wallet and another counterparty'],
      [{ reason: 'correction' }, 'reason'],
      [{ type: 'debit', walletId: '1', reason: 'p2p_transfer' }, 'counterparty'],
      ...OTHER_DETAILS,
    ],
  },
  reverse: {
    used: posted(
      entry('5', '2', -10n, { ...KEPT, reason: 'reversal', counterparty: '1', reverses: '9' }),
      entry('6', '1', 10n, { ...KEPT, reason: 'reversal', counterparty: '2', reverses: '8' }),
    ),
    item: { type: 'reverse', entryId: '8', amount: 10n, ...DETAILS },
    replay: 'posted before',
    others: [
      [{ amount: 9n }, 'amount'],
      [{ amount: undefined }, 'amount'], // All of it were 40.
      [{ entryId: '7' }, 'reversed entry'],
      [{ entryId: '404' }, 'reversed entry'],
      [{ reason: 'correction' }, 'reason'],
      ...OTHER_DETAILS,
    ],
  },
  hold: {
    used: { kind: 'hold', hold: hold('h', '1', { ...KEPT, amount: 10n, expiresAt: NOW - 30_000 }) },
    item: {
      type: 'hold',
      walletId: '1',
      amount: 10n,
      reason: 'purchase',
      expiresInSeconds: 30,
      ...DETAILS,
    },
    replay: 'held before',
    others: [
      [{ amount: 9n }, 'amount'],
      [{ walletId: '2' }, 'wallet'],
      [{ currency: 'gems' }, 'currency'],
      [{ reason: 'withdrawal' }, 'reason'],
      [{ expiresInSeconds: 31 }, 'expiry'],
      [{ expiresInSeconds: undefined }, 'expiry'],
      [{ type: 'debit' }, 'kind'],
      [{ type: 'release', holdId: 'h' }, 'kind'],
      ...OTHER_DETAILS,
    ],
  },
  capture: {
    used: posted(
      entry('5', '1', -10n, { ...KEPT, reason: 'purchase', counterparty: '2', holdId: 'h' }),
      entry('6', '2', 10n, { ...KEPT, reason: 'purchase', counterparty: '1', holdId: 'h' }),
    ),
    item: { type: 'capture', holdId: 'h', amount: 10n, to: { walletId: '2' }, ...DETAILS },
    replay: 'posted before',
    others: [
      [{ amount: 9n }, 'amount'],
      [{ amount: undefined }, 'amount'], // All of it were 40, and 30 are held still.
      [{ releaseRest: true }, 'release of the rest'],
      [{ holdId: 'g' }, 'hold'],
      [{ to: { walletId: '3' } }, 'counterparty'],
      [{ to: undefined }, 'counterparty'],
      ...OTHER_DETAILS,
    ],
  },
  release: {
    used: { kind: 'release', hold: hold('h', '1', { state: 'released', releaseKey: 'k' }) },
    item: { type: 'release', holdId: 'h' },
    replay: 'released before',
    others: [
      [{ holdId: 'g' }, 'hold'],
      [{ type: 'capture', amount: 5n }, 'kind'],
      [{ type: 'hold', walletId: '1', amount: 40n, reason: 'purchase' }, 'kind'],
    ],
  },
};

const TRANSFER = [
  entry('8', '1', -40n, { transactionId: 't8', counterparty: '2' }),
  entry('9', '2', 40n, { transactionId: 't8', counterparty: '1' }),
];

function world(used?: EarlierUse): World {
  return {
    wallets: ['1', '2', '3'].map((id) => wallet(id)),
    holds: [hold('h', '1'), hold('g', '2')],
    reversible: new Map([
      ['entry 8', { entries: TRANSFER, reversed: used !== undefined }],
      ['entry 7', { entries: [entry('7', '3', 40n)], reversed: false }],
    ]),
    keys: new Map(used === undefined ? [] : [['k', used]]),
  };
}

const EACH = Object.entries(CASES).map(([verb, one]) => ({ verb, ...one }));

describe('a key of an earlier batch', () => {
  test.each(EACH)('$verb: the same again is the first result', ({ used, item, replay }) => {
    const plan = decided(world(used), { ...item, ...KEY });
    expect(words(plan)).toEqual([replay]);
    expect(plan).toMatchObject({ entries: [], newHolds: [], changedHolds: [], spending: [] });
    const [outcome] = plan.outcomes;
    if (used.kind === 'entries') expect(outcome).toMatchObject({ entries: used.entries });
    else expect(outcome).toMatchObject({ hold: used.hold });
  });

  test.each(EACH)(
    '$verb: wallets frozen and empty since do not matter',
    ({ used, item, replay }) => {
      const since = ['1', '2', '3'].map((id) =>
        wallet(id, { frozen: true, balance: 0n, ceiling: 0n }),
      );
      expect(words(decided({ ...world(used), wallets: since }, { ...item, ...KEY }))).toEqual([
        replay,
      ]);
    },
  );

  test.each(
    EACH.flatMap(({ verb, used, item, others }) =>
      others.map(([change, named]) => ({ verb, used, item, change, named })),
    ),
  )('$verb with $change: a conflict that names $named', ({ used, item, change, named }) => {
    const plan = decided(world(used), { ...item, ...change, ...KEY });
    expect(plan.outcomes).toMatchObject([{ status: 'refused', code: 'idempotency_conflict' }]);
    const [outcome] = plan.outcomes;
    expect(outcome?.status === 'refused' && outcome.message).toContain(`with another ${named}`);
  });

  test('metadata with its keys in another order is the same', () => {
    const { used, item } = CASES.credit;
    const plan = decided(world(used), { ...item, ...KEY, metadata: { b: [2], a: 1 } } as PostItem);
    expect(words(plan)).toEqual(['posted before']);
  });

  test('all of an entry is the same as its whole amount', () => {
    const used = posted(entry('5', '3', -40n, { reason: 'reversal', reverses: '7' }));
    const reverse = { type: 'reverse', entryId: '7', ...KEY } as const;
    expect(words(decided(world(used), reverse, { ...reverse, amount: 40n }))).toEqual([
      'posted before',
      'same as 0',
    ]);
  });

  test('a capture of all that was left, and one that freed the rest, are repeated once it is closed', () => {
    const used = posted(entry('5', '1', -10n, { reason: 'purchase', holdId: 'h' }));
    const closed = { ...world(used), holds: [hold('h', '1', { state: 'captured' })] };
    const capture = { type: 'capture', holdId: 'h', ...KEY } as const;
    for (const item of [capture, { ...capture, amount: 10n, releaseRest: true }]) {
      expect(words(decided(closed, item))).toEqual(['posted before']);
    }
  });

  test('what the ledger does not keep is not compared', () => {
    const { used, item } = CASES.credit;
    const [first] = used.kind === 'entries' ? used.entries : [];
    const kept = { ...(first ?? entry('5', '1', 10n)), note: undefined, actor: undefined };
    const plan = decided(world(posted(kept)), { ...item, ...KEY, note: 'z' } as PostItem);
    expect(words(plan)).toEqual(['posted before']);
  });
});

describe('a key twice in one batch', () => {
  test.each(EACH)('$verb: the second is a repeat of the first', ({ verb, item }) => {
    const plan = decided(world(), { ...item, ...KEY }, { ...item, ...KEY });
    const [first, second] = words(plan);
    expect(first).toBe(verb === 'hold' ? 'held' : verb === 'release' ? 'released' : 'posted');
    expect(second).toBe('same as 0');
    expect(lines(plan)).toEqual(lines(decided(world(), item)));
    expect(plan.newHolds.length + plan.changedHolds.length).toBeLessThan(2);
  });

  test.each(
    EACH.flatMap(({ verb, item, others }) =>
      others.map(([change, named]) => ({ verb, item, change, named })),
    ),
  )('$verb, then $change: a conflict that names $named', ({ item, change, named }) => {
    const plan = decided(world(), { ...item, ...KEY }, { ...item, ...change, ...KEY });
    const [, outcome] = plan.outcomes;
    expect(outcome).toMatchObject({ status: 'refused', code: 'idempotency_conflict' });
    expect(outcome?.status === 'refused' && outcome.message).toContain(`item 0 of this batch`);
    expect(outcome?.status === 'refused' && outcome.message).toContain(`another ${named}`);
  });

  test('a third repeats the first too, also where the second was a conflict', () => {
    const { item } = CASES.credit;
    const other = { ...item, ...KEY, amount: 99n } as PostItem;
    const plan = decided(world(), { ...item, ...KEY }, other, { ...item, ...KEY });
    expect(words(plan)).toEqual(['posted', 'idempotency_conflict', 'same as 0']);
  });

  test('a refusal uses no key', () => {
    const poor: World = { wallets: [wallet('1', { balance: 0n })] };
    const debit = { ...CASES.debit.item, ...KEY };
    const plan = decided(poor, debit, { ...CASES.credit.item, ...KEY }, debit);
    expect(words(plan)).toEqual(['insufficient_funds', 'posted', 'idempotency_conflict']);
  });

  test('different keys, and none, are different postings', () => {
    const { item } = CASES.credit;
    const plan = decided(world(), item, { ...item, ...KEY }, item, {
      ...item,
      idempotencyKey: 'K',
    });
    expect(words(plan)).toEqual(Array(4).fill('posted'));
  });
});
