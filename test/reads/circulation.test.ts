import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { adopt, posted } from './support.js';

/** circulation: the books close. */

test('per currency: in wallets, issued, withdrawn, transferred', async () => {
  const own = await createDatabase('own');
  const trueup = await own.trueup();
  expect(await trueup.circulation()).toEqual([]);
  const [ada, bob] = [
    await trueup.openWallet({ userId: 'ada' }),
    await trueup.openWallet({ userId: 'bob' }),
  ];
  const gems = await trueup.openWallet({ userId: 'ada', currency: 'gems' });
  await trueup.openWallet({ currency: 'dust' });
  await trueup.credit({ walletId: ada, amount: 100n, reason: 'winner' });
  await trueup.credit({ walletId: bob, amount: 20n, reason: 'winner' });
  await trueup.debit({ walletId: ada, amount: 30n, reason: 'withdrawal' });
  await trueup.transfer({ from: { walletId: ada }, to: { walletId: bob }, amount: 15n });
  const back = await trueup.transfer({
    from: { walletId: bob },
    to: { walletId: ada },
    amount: 2n,
  });
  await trueup.reverse({ entryId: posted(back).entryId });
  await trueup.credit({ walletId: gems, amount: 7n, reason: 'winner' });
  const none = { inWallets: 0n, issued: 0n, withdrawn: 0n, transferred: 0n, closes: true };
  const coins = { inWallets: 90n, issued: 120n, withdrawn: 30n, transferred: 19n, closes: true };
  expect(await trueup.circulation()).toEqual([
    { currency: 'coins', ...coins },
    { currency: 'dust', ...none },
    { currency: 'gems', ...none, inWallets: 7n, issued: 7n },
  ]);

  await own.run(
    `INSERT INTO trueup.entries (wallet_id, counterparty_wallet_id, amount, reason) VALUES ($1, $2, 5, 'x')`,
    [ada, bob],
  );
  expect(await trueup.circulation(), 'coins from a wallet that did not lose them').toMatchObject([
    { currency: 'coins', inWallets: 95n, transferred: 24n, closes: false },
    { currency: 'dust', closes: true },
    { currency: 'gems', closes: true },
  ]);
});

test('wallets that say something else than the entries keep the books open', async () => {
  const own = await createDatabase('own');
  const trueup = await own.trueup();
  const walletId = await trueup.openWallet({});
  await trueup.credit({ walletId, amount: 10n, reason: 'winner' });
  await own.run(
    `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, created_at, writer)
     VALUES ($1, 2, 5, 16, 'winner', now(), pg_current_xact_id())`,
    [walletId],
  );
  expect(await trueup.circulation()).toEqual([
    {
      currency: 'coins',
      inWallets: 16n,
      issued: 15n,
      withdrawn: 0n,
      transferred: 0n,
      closes: false,
    },
  ]);
});

test('coins that come from a wallet which did not lose them keep the books open', async () => {
  const own = await createDatabase('own');
  const trueup = await own.trueup();
  const [walletId, other] = [await trueup.openWallet({}), await trueup.openWallet({})];
  await trueup.credit({ walletId, amount: 10n, reason: 'winner' });
  // The balance after it says nothing of it: only the sum of all transfers shows it.
  await own.run(
    `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, counterparty_wallet_id, reason, created_at, writer)
     VALUES ($1, 2, 5, 10, $2, 'p2p_transfer', now(), pg_current_xact_id())`,
    [walletId, other],
  );
  expect(await trueup.circulation()).toMatchObject([
    { inWallets: 10n, issued: 10n, transferred: 5n, closes: false },
  ]);
});

test('the books close at every moment, also while coins move', async () => {
  const own = await createDatabase('own');
  const trueup = await own.trueup();
  const wallets = await Promise.all([1, 2, 3, 4].map(() => trueup.openWallet({})));
  await Promise.all(
    wallets.map((walletId) => trueup.credit({ walletId, amount: 1000n, reason: 'winner' })),
  );
  let running = true;
  const isRunning = (): boolean => running;
  const movers = [...Array(20).keys()].map(async (n) => {
    for (let round = n; isRunning(); round += 1) {
      const [from, to] = [{ walletId: wallets[round % 4] }, { walletId: wallets[(round + 1) % 4] }];
      await trueup.transfer({ from, to, amount: 3n });
      if (round % 5 === 0) await trueup.credit({ ...from, amount: 1n, reason: 'winner' });
      if (round % 7 === 0) await trueup.debit({ ...to, amount: 2n, reason: 'purchase' });
    }
  });
  const seen = new Set<bigint>();
  for (let look = 0; look < 60; look += 1) {
    const [coins] = await trueup.circulation();
    expect(coins?.closes).toBe(true);
    seen.add(coins?.transferred ?? 0n);
  }
  running = false;
  await Promise.all(movers);
  expect(seen.size, 'coins moved meanwhile').toBeGreaterThan(10);
});

test('adopted tables: every entry was issued or withdrawn, exactly', async () => {
  const db = await createDatabase('empty');
  const numeric = 'numeric(12,2)';
  const options = { idType: 'uuid', amountType: numeric, walletType: numeric } as const;
  const { economy, trueup } = await adopt(db, 2, options);
  expect(await trueup.circulation()).toEqual([
    { currency: null, inWallets: 0n, issued: 0n, withdrawn: 0n, transferred: 0n, closes: true },
  ]);
  await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, 50), ($1, -20), ($2, 5)`, [
    economy.id(1),
    economy.id(2),
  ]);
  expect(await trueup.circulation()).toEqual([
    { currency: null, inWallets: 35n, issued: 55n, withdrawn: 20n, transferred: 0n, closes: true },
  ]);
});
