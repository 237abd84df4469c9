import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PostItem } from '../../src/index.js';
import { AHEAD, Counted } from '../support/ahead.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/**
 * What the one statement looks at beside the versions of wallets: keys, holds that expire, the sync
 * trigger, and what the application's own triggers did in the very transaction that is remembered.
 */

const db = await createDatabase('own');
const counted = await Counted.on(db, { applicationName: 'counted', posting: { lanes: 1 } });
const program = counted.trueup;
const rival = await db.trueup();

let alice = '';
let bob = '';
let key = '';
beforeEach(async () => {
  [alice, bob] = await Promise.all([funded(), funded()]);
  key = `key ${alice}`;
  await counted.remember({ walletId: alice }, { walletId: bob });
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function funded(): Promise<string> {
  const walletId = await rival.openWallet({});
  await rival.credit({ walletId, amount: 100n, reason: 'top_up' });
  return walletId;
}

const credit = (amount: bigint, more: object = {}): PostItem => ({
  ...{ type: 'credit', walletId: alice, amount, reason: 'winner' },
  ...more,
});
const debit = (amount: bigint, more: object = {}): PostItem => ({
  ...{ type: 'debit', walletId: alice, amount, reason: 'purchase' },
  ...more,
});
const entriesOf = (walletId: string): Promise<string> =>
  db.value('SELECT count(*) FROM trueup.entries WHERE wallet_id = $1', [walletId]);

describe('a key that somebody else used', () => {
  test.each([
    ['by the same request', () => credit(7n), { status: 'posted', replayed: true }],
    ['by another request', () => credit(8n), { code: 'idempotency_conflict' }],
    ['for another wallet', () => credit(7n, { walletId: bob }), { code: 'idempotency_conflict' }],
    ['by a request that would be refused', () => debit(700n), { code: 'idempotency_conflict' }],
  ])('%s, in the middle of a batch', async (_, item, expected) => {
    await rival.post([credit(7n, { idempotencyKey: key })]);
    await counted.remember({ walletId: alice }, { walletId: bob });
    const before = await entriesOf(alice);
    const outcomes = await program.post([
      counted.beside,
      { ...item(), idempotencyKey: key },
      credit(1n, { idempotencyKey: `${key} too` }),
      credit(1n, { walletId: bob }),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'posted', replayed: false },
      expected,
      { status: 'posted', replayed: false, balanceAfter: 108n },
      { status: 'posted', replayed: false, balanceAfter: 101n },
    ]);
    expect(Number(await entriesOf(alice))).toBe(Number(before) + 1);
  });

  test('in one of many calls: the others are posted, each once', async () => {
    await rival.post([credit(7n, { idempotencyKey: key, walletId: bob })]);
    await counted.remember({ walletId: alice }, { walletId: bob });
    const again = { idempotencyKey: key, walletId: bob };
    const calls = [credit(1n), credit(7n, again), credit(2n), credit(8n, again), credit(3n)];
    const answers = await Promise.all(calls.map((item) => program.post([item])));
    expect(answers.flat()).toMatchObject([
      { balanceAfter: 101n },
      { replayed: true },
      { balanceAfter: 103n },
      { code: 'idempotency_conflict' },
      { balanceAfter: 106n },
    ]);
  });

  test('for a hold, and for its release', async () => {
    const held = { walletId: bob, amount: 7n, reason: 'purchase', idempotencyKey: key };
    const outcome = await rival.hold(held);
    const holdId = outcome.status === 'held' ? outcome.hold.holdId : '';
    await rival.release({ holdId, idempotencyKey: `${key} freed` });
    await counted.remember({ walletId: alice });
    for (const idempotencyKey of [key, `${key} freed`]) {
      expect(await program.post([credit(7n, { idempotencyKey }), credit(1n)])).toMatchObject([
        { code: 'idempotency_conflict' },
        { status: 'posted' },
      ]);
    }
  });

  test('twice in one call, and by two calls at once: it posts once', async () => {
    const item = credit(7n, { idempotencyKey: key });
    const answers = await Promise.all([program.post([item, item]), program.post([item])]);
    const replayed = answers
      .flat()
      .map((outcome) => outcome.status === 'posted' && outcome.replayed);
    expect(replayed).toEqual([false, true, true]);
    expect(await rival.getBalanceDrift(alice)).toMatchObject({ ledgerBalance: 107n });
  });
});

describe('linked items', () => {
  const link = 'together';

  test('all of them are posted, ahead as well', async () => {
    const items = [
      credit(2n, { link }),
      debit(102n, { link }),
      credit(4n, { walletId: bob, link }),
    ];
    expect(await counted.count(credit(1n), ...items)).toBe(AHEAD);
    expect(await rival.getBalanceDrift(alice)).toMatchObject({ ledgerBalance: 1n });
    expect(await rival.getBalanceDrift(bob)).toMatchObject({ ledgerBalance: 104n });
  });

  test('of one that is refused none is posted, and the others are', async () => {
    const outcomes = await program.post([
      credit(1n),
      credit(2n, { link }),
      debit(500n, { link }),
      credit(4n, { walletId: bob, link }),
      credit(8n),
      credit(16n, { link: 'another' }),
      debit(125n, { link: 'another' }),
    ]);
    expect(outcomes).toMatchObject([
      { balanceAfter: 101n },
      { code: 'linked_item_refused' },
      { code: 'insufficient_funds' },
      { code: 'linked_item_refused' },
      { balanceAfter: 109n },
      { balanceAfter: 125n },
      { balanceAfter: 0n },
    ]);
    expect(await rival.getBalanceDrift(alice)).toMatchObject({ ledgerBalance: 0n });
    expect(await rival.getBalanceDrift(bob)).toMatchObject({ ledgerBalance: 100n });
  });
});

describe('a hold that expires', () => {
  test('its coins are usable from that moment on', async () => {
    const request = { walletId: alice, amount: 40n, reason: 'purchase', expiresInSeconds: 3600 };
    const held = await rival.hold(request);
    const holdId = held.status === 'held' ? held.hold.holdId : '';
    for (const amount of [1n, 2n]) {
      const outcomes = await program.post([
        counted.beside,
        credit(amount),
        debit(amount),
        debit(61n),
      ]);
      expect(outcomes[3]).toMatchObject({ code: 'insufficient_funds' });
    }
    const past = `expires_at = now() - interval '1 millisecond'`;
    await db.run(`UPDATE trueup.holds SET ${past} WHERE id = $1`, [holdId]);
    expect(await program.post([counted.beside, debit(100n)])).toMatchObject([
      { status: 'posted' },
      { status: 'posted', balanceAfter: 0n },
    ]);
  });

  test('afterwards the wallet is posted to ahead again, a little later', async () => {
    const request = { walletId: alice, amount: 40n, reason: 'purchase', expiresInSeconds: 3600 };
    const held = await program.hold(request);
    await program.post([credit(1n)]);
    await program.release({ holdId: held.status === 'held' ? held.hold.holdId : '' });
    const later = performance.now() + 60_000;
    vi.spyOn(performance, 'now').mockReturnValue(later);
    await counted.remember({ walletId: alice });
    expect(await program.post([debit(101n)])).toMatchObject([{ balanceAfter: 0n }]);
  });
});

describe('without the sync trigger nothing is posted', () => {
  const SWITCH = (word: string): Promise<void> =>
    db.run(`ALTER TABLE trueup.entries ${word} TRIGGER trueup_sync`);
  test.each([
    ['dropped', () => rival.removeSync(), () => rival.installSync()],
    ['disabled', () => SWITCH('DISABLE'), () => SWITCH('ENABLE')],
    ['for replicas only', () => SWITCH('ENABLE REPLICA'), () => SWITCH('ENABLE')],
  ])('%s', async (_, off, on) => {
    const before = await entriesOf(alice);
    await off();
    try {
      await expect(program.post([credit(1n)])).rejects.toMatchObject({ code: 'sync_missing' });
      const both = [program.post([credit(1n)]), program.post([counted.beside])];
      const answers = await Promise.allSettled(both);
      expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    } finally {
      await on();
    }
    expect(await entriesOf(alice)).toBe(before);
    expect(await program.post([credit(1n)])).toMatchObject([{ balanceAfter: 101n }]);
    await counted.remember({ walletId: alice });
  });
});

/** What a trigger of the application does with each award, in the transaction that posts it. */
async function onAward(work: string): Promise<void> {
  await db.run(`
    CREATE OR REPLACE FUNCTION public.on_award() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN ${work}; RETURN NULL; END $$;
    CREATE OR REPLACE TRIGGER on_award AFTER INSERT ON trueup.entries
      FOR EACH ROW WHEN (NEW.reason = 'winner') EXECUTE FUNCTION public.on_award()`);
  try {
    await program.post([credit(1n)]);
  } finally {
    await db.run('DROP TRIGGER on_award ON trueup.entries');
  }
}

const HOLD = `
    INSERT INTO trueup.holds (id, ledger, wallet_id, amount, reason, created_at)
    VALUES (gen_random_uuid(), '${program.mapping.ledger.table.quoted}', NEW.wallet_id, 40, 'purchase', now());
    UPDATE trueup.wallets SET pending_balance = 40 WHERE id = NEW.wallet_id`;

describe('an award changes its wallet in the same transaction', () => {
  const set = (change: string): string =>
    `UPDATE trueup.wallets SET ${change} WHERE id = NEW.wallet_id`;
  const more = (amount: number): string =>
    `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES (NEW.wallet_id, ${String(amount)}, 'plain')`;
  test.each([
    ['it is frozen', set('frozen = true'), () => debit(1n), 'wallet_frozen'],
    ['it gets a ceiling', set('max_balance = 101'), () => credit(1n), 'ceiling_exceeded'],
    ['it may be overdrawn', set('allow_overdraft = true'), () => debit(151n), -50n],
    ['coins are put on hold', HOLD, () => debit(62n), 'insufficient_funds'],
    ['there is a bonus, and it is spent', more(50), () => debit(151n), 0n],
    ['there is a fee, and what is left is spent', more(-50), () => debit(51n), 0n],
    ['there is a fee, and more is spent', more(-50), () => debit(52n), 'insufficient_funds'],
  ])('%s', async (_, work, item, expected) => {
    await onAward(work);
    const [other, outcome] = await program.post([counted.beside, item()]);
    expect(other?.status).toBe('posted');
    expect(outcome).toMatchObject(
      typeof expected === 'string' ? { code: expected } : { balanceAfter: expected },
    );
  });
});

test('the same, and no constraint of the table keeps held coins', async () => {
  const constraint = 'wallets_not_overdrawn';
  const [row] = await db.rows(
    `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = '${constraint}'`,
  );
  await db.run(`ALTER TABLE trueup.wallets DROP CONSTRAINT ${constraint}`);
  try {
    await onAward(HOLD);
    expect(await program.post([debit(62n)])).toMatchObject([{ code: 'insufficient_funds' }]);
  } finally {
    const text = row?.['text'] ?? '';
    await db.run(`ALTER TABLE trueup.wallets ADD CONSTRAINT ${constraint} ${text}`);
  }
});

test('an award frees a hold of its wallet in the same transaction', async () => {
  await rival.hold({ walletId: alice, amount: 40n, reason: 'purchase' });
  await counted.remember({ walletId: alice });
  await onAward(`
    UPDATE trueup.holds SET state = 'released', closed_at = now() WHERE wallet_id = NEW.wallet_id::text;
    UPDATE trueup.wallets SET pending_balance = 0 WHERE id = NEW.wallet_id`);
  expect(await program.post([counted.beside, debit(101n)])).toMatchObject([
    { status: 'posted' },
    { status: 'posted', balanceAfter: 0n },
  ]);
});

test('what the very first posting of a program saw and did is remembered', async () => {
  const first = await Counted.on(db);
  const item = credit(1n);
  expect(await first.trueup.post([item])).toMatchObject([{ balanceAfter: 101n }]);
  expect(await first.count(item)).toBe(AHEAD);
});

test('connections ended by an administrator: it remembers nothing of the time before', async () => {
  const ended = await db.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'counted' AND datname = current_database()`,
  );
  expect(ended.length).toBeGreaterThan(0);
  expect(await program.post([credit(1n)])).toMatchObject([{ balanceAfter: 101n }]);
  const item = credit(1n, { walletId: bob });
  expect(await counted.count(item)).toBe(AHEAD + 1);
  expect(await counted.count(item)).toBe(AHEAD);
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, rival)).toEqual([]);
});
