import { beforeEach, describe, expect, test } from 'vitest';
import type { WalletReference } from '../../src/core/posting/request.js';
import type { ItemOutcome, PostItem } from '../../src/index.js';
import { AHEAD, Counted } from '../support/ahead.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/**
 * A wallet has several names: its id, its user, its user with a currency. What a program remembers
 * under one of them must not outlive what it learns under another one, and users change.
 */

const db = await createDatabase('own');
const counted = await Counted.on(db, { posting: { lanes: 1 } });
const program = counted.trueup;
const rival = await db.trueup();

let ada = '';
let user = '';
let bob = '';
let number = 0;
beforeEach(async () => {
  number += 1;
  user = `ada ${String(number)}`;
  [ada, bob] = await Promise.all([rival.openWallet({ userId: user }), rival.openWallet({})]);
  await rival.post([byId(100n), byId(100n, bob)]);
});

const byId = (amount: bigint, walletId = ada): PostItem => move(amount, { walletId });
const byUser = (amount: bigint, userId = user): PostItem => move(amount, { userId });
function move(amount: bigint, wallet: WalletReference): PostItem {
  return amount > 0n
    ? { type: 'credit', ...wallet, amount, reason: 'winner' }
    : { type: 'debit', ...wallet, amount: -amount, reason: 'purchase' };
}

/** Calls of one moment: what became of each, as its code or the balance after it. */
async function atOnce(...items: PostItem[]): Promise<unknown[]> {
  return (await Promise.all(items.map((item) => program.post([item])))).flat().map(brief);
}
async function inOneCall(...items: PostItem[]): Promise<unknown[]> {
  return (await program.post(items)).map(brief);
}
function brief(outcome: ItemOutcome): unknown {
  if (outcome.status === 'refused') return outcome.code;
  return outcome.status === 'posted' ? outcome.balanceAfter : outcome.status;
}
const WAYS = [
  ['in one call', inOneCall],
  ['by calls at once', atOnce],
] as const;

const rename = (to: string, from = user): Promise<void> =>
  db.run('UPDATE trueup.profiles SET user_id = $1 WHERE user_id = $2', [to, from]);

describe.each(WAYS)('%s', (_, post) => {
  test('a wallet by its id and by its user', async () => {
    expect(await post(byId(1n), byUser(1n), byId(-2n))).toEqual([101n, 102n, 100n]);
    await counted.remember({ walletId: ada }, { userId: user });
    expect(await post(byId(1n), byUser(1n), byId(-2n))).toEqual([101n, 102n, 100n]);
    await rival.post([byUser(50n)]);
    expect(await post(byId(-140n), byUser(-20n), byUser(-10n))).toEqual([
      10n,
      'insufficient_funds',
      0n,
    ]);
  });

  test('a wallet that was seen by its id alone, after it was by its user', async () => {
    await counted.remember({ userId: user });
    // A wallet that is new to the program, and so both are read, without anything of the user.
    const fresh = await rival.openWallet({});
    await program.post([byId(-1000n), byId(1n, fresh)]);
    expect(await inOneCall(byUser(200n))).toEqual([300n]);
    expect(await post(byId(1n, fresh), byUser(-150n), byId(-150n))).toEqual([2n, 150n, 0n]);
  });

  test('the user has another id: the old one reaches nothing, the new one does', async () => {
    await counted.remember({ userId: user }, { walletId: bob });
    await rename(`new ${user}`);
    expect(await post(byUser(1n), byId(1n, bob))).toEqual(['unknown_wallet', 101n]);
    expect(await post(byUser(1n, `new ${user}`), byId(1n, bob))).toEqual([101n, 102n]);
  });

  test.each(['old', 'new'])('the same, the %s id first', async (first) => {
    await counted.remember({ userId: user });
    await rename(`new ${user}`);
    await counted.remember({ userId: `new ${user}` });
    const items = [byUser(1n), byUser(1n, `new ${user}`)];
    const expected = ['unknown_wallet', 101n];
    expect(await post(...(first === 'old' ? items : items.reverse()))).toEqual(
      first === 'old' ? expected : expected.reverse(),
    );
  });

  test('the same, and the wallet by its id', async () => {
    await counted.remember({ userId: user });
    const fresh = await rival.openWallet({});
    await program.post([byId(-1000n), byId(1n, fresh)]);
    await rename(`new ${user}`);
    expect(await post(byId(1n, fresh), byId(1n), byUser(1n))).toEqual([2n, 101n, 'unknown_wallet']);
  });

  test('two users have changed their ids', async () => {
    const other = `eve ${user}`;
    const eve = await rival.openWallet({ userId: other });
    await counted.remember({ userId: user }, { userId: other });
    await rename('nobody');
    await rename(user, other);
    await rename(other, 'nobody');
    expect(await post(byUser(1n), byUser(5n, other))).toEqual([1n, 105n]);
    expect(await rival.getBalanceDrift(eve)).toMatchObject({ ledgerBalance: 1n });
  });

  test('another wallet is the one that is shown, and back', async () => {
    const gems = await rival.openWallet({ userId: user, currency: 'gems' });
    await counted.remember({ userId: user }, { walletId: gems });
    const show = (shown: string): Promise<void> =>
      db.run(`
        UPDATE trueup.wallets SET is_primary = false WHERE id IN (${ada}, ${gems});
        UPDATE trueup.wallets SET is_primary = true WHERE id = ${shown}`);
    await show(gems);
    expect(await post(byUser(1n), byId(1n))).toEqual([1n, 101n]);
    await counted.remember({ userId: user }, { walletId: ada });
    await show(ada);
    expect(await post(byUser(1n), byId(1n))).toEqual([102n, 103n]);
    await rival.reconcile({ all: true });
  });

  test('the wallet that is shown, and one of another currency', async () => {
    await rival.openWallet({ userId: user, currency: 'gems' });
    const gem = move(5n, { userId: user, currency: 'gems' });
    for (const name of [{ userId: user }, { userId: user, currency: 'gems' }]) {
      await counted.remember(name);
    }
    expect(await post(byUser(1n), gem, byUser(1n), byId(1n))).toEqual([101n, 5n, 102n, 103n]);
  });

  test('another wallet belongs to the user', async () => {
    await counted.remember({ userId: user }, { walletId: bob });
    await db.run(`
      UPDATE trueup.wallets SET profile_id = NULL WHERE id = ${ada};
      UPDATE trueup.wallets SET profile_id = (SELECT id FROM trueup.profiles WHERE user_id = '${user}')
       WHERE id = ${bob}`);
    expect(await post(byUser(5n), byId(1n))).toEqual([105n, 101n]);
    await rival.reconcile({ all: true });
  });

  test('a user, and a wallet, that were unknown the last time', async () => {
    const late = `late ${user}`;
    expect(await post(byUser(1n, late), byId(1n))).toEqual(['unknown_wallet', 101n]);
    await rival.openWallet({ userId: late });
    expect(await post(byUser(1n, late), byId(1n))).toEqual([1n, 102n]);
  });

  test('a wallet that is gone', async () => {
    const empty = await rival.openWallet({});
    expect(await post(byId(1n), byId(-1n, empty))).toEqual([101n, 'insufficient_funds']);
    await db.run('DELETE FROM trueup.wallets WHERE id = $1', [empty]);
    expect(await post(byId(1n), byId(-1n, empty))).toEqual([102n, 'unknown_wallet']);
  });

  test('a hold, and what comes after it', async () => {
    const hold: PostItem = { type: 'hold', walletId: ada, amount: 60n, reason: 'purchase' };
    await counted.remember({ walletId: ada }, { userId: user }, { walletId: bob });
    expect(await post(byId(1n, bob), hold, byId(-41n), byId(-40n), byId(2n, bob))).toEqual([
      101n,
      'held',
      'insufficient_funds',
      60n,
      103n,
    ]);
  });

  test('a hold, and what comes after it under another name of the wallet', async () => {
    const hold: PostItem = { type: 'hold', walletId: ada, amount: 60n, reason: 'purchase' };
    await counted.remember({ walletId: ada }, { userId: user }, { walletId: bob });
    expect(await post(byId(1n, bob), hold, byUser(-41n), byUser(-40n))).toEqual([
      101n,
      'held',
      'insufficient_funds',
      60n,
    ]);
  });

  test('coins that are released and taken back, and then are spent', async () => {
    const request = { walletId: ada, amount: 60n, reason: 'purchase' };
    const [held, spent] = await program.post([{ type: 'hold', ...request }, byId(-10n)]);
    const holdId = held?.status === 'held' ? held.hold.holdId : '';
    const entryId = spent?.status === 'posted' ? spent.entryId : '';
    await counted.remember({ walletId: ada }, { walletId: bob });
    const outcomes = await post(
      byId(1n, bob),
      { type: 'release', holdId },
      { type: 'reverse', entryId },
      byId(-20n),
      byId(-80n),
    );
    expect(outcomes).toEqual([101n, 'released', 100n, 80n, 0n]);
  });
});

describe('what cannot be posted ahead, and then calls on the same wallets: they keep their order', () => {
  test.each([
    ['a wallet that nobody knows', () => byId(1n, '999999999'), 'unknown_wallet'],
    ['a refusal', () => byId(-150n), 'insufficient_funds'],
    ['a key that was used', () => ({ ...byId(1n, bob), idempotencyKey: user }), 101n],
  ])('%s', async (_, item, expected) => {
    await rival.post([{ ...byId(1n, bob), idempotencyKey: user }]);
    await counted.remember({ walletId: ada }, { walletId: bob });
    const answers = await Promise.all([
      program.post([counted.beside]),
      program.post([byId(-60n), item()]),
      program.post([byId(-40n)]),
    ]);
    expect(answers.flat().slice(1).map(brief)).toEqual([40n, expected, 0n]);
  });
});

test('every name of a wallet is posted to ahead', async () => {
  const names = [{ walletId: ada }, { userId: user }, { userId: user, currency: 'coins' }];
  await counted.remember(...names);
  for (const name of names) {
    const item: PostItem = { type: 'credit', ...name, amount: 1n, reason: 'winner' };
    expect(await counted.count(item)).toBe(AHEAD);
  }
  expect(await rival.getBalanceDrift(ada)).toMatchObject({ ledgerBalance: 103n });
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, rival)).toEqual([]);
});
