import type pg from 'pg';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { ItemOutcome, PostItem, Trueup } from '../../src/index.js';
import { AHEAD, Counted } from '../support/ahead.js';
import { createDatabase } from '../support/database.js';
import { brokenPromises } from '../support/promises.js';

/** The one statement of a posting waits for the lock of a wallet; and two programs get in each other's way. */

const db = await createDatabase('own');
const counted = await Counted.on(db, { applicationName: 'counted' });
const program = counted.trueup;
const rival = await db.trueup();
const somebody = await db.connect();

let alice = '';
let bob = '';
beforeEach(async () => {
  [alice, bob] = await Promise.all([funded(), funded()]);
  await counted.remember({ walletId: alice }, { walletId: bob });
});

async function funded(owner: { userId?: string } = {}): Promise<string> {
  const walletId = await rival.openWallet(owner);
  await rival.credit({ walletId, amount: 100n, reason: 'top_up' });
  return walletId;
}

const debit = (amount: bigint): PostItem => ({
  ...{ type: 'debit', walletId: alice, amount, reason: 'purchase' },
});

/** Which of the program's sessions wait for a lock, once there are as many. */
async function waiting(count: number): Promise<number[]> {
  return vi.waitUntil(
    async () => {
      const rows = await db.rows<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE application_name = 'counted'
            AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`,
      );
      return rows.length === count && rows.map(({ pid }) => pid);
    },
    { timeout: 20_000, interval: 2 },
  );
}

/** Posts while somebody holds the wallet's lock, who does something and ends his transaction. */
async function meanwhile(
  item: PostItem,
  work: (client: pg.Client) => Promise<unknown>,
  end: 'COMMIT' | 'ROLLBACK' = 'COMMIT',
): Promise<{ readonly outcome: ItemOutcome | undefined; readonly rounds: number }> {
  await somebody.query('BEGIN');
  await somebody.query('SELECT FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE', [alice]);
  let outcomes: ItemOutcome[] = [];
  const counting = counted.proxy.count(async () => {
    outcomes = await program.post([counted.beside, item]);
  });
  await waiting(1);
  await work(somebody);
  await somebody.query(end);
  const rounds = await counting;
  expect(outcomes[0]).toMatchObject({ status: 'posted' });
  return { outcome: outcomes[1], rounds };
}

const set = (change: string) => (client: pg.Client) =>
  client.query(`UPDATE trueup.wallets SET ${change} WHERE id = $1`, [alice]);
const spend = (client: pg.Client): Promise<unknown> =>
  rival.within(client).debit({ walletId: alice, amount: 60n, reason: 'purchase' });
const earn = (client: pg.Client): Promise<unknown> =>
  rival.within(client).credit({ walletId: alice, amount: 60n, reason: 'winner' });
const hold = (client: pg.Client): Promise<unknown> =>
  rival.within(client).hold({ walletId: alice, amount: 60n, reason: 'purchase' });
const nothing = (): Promise<void> => Promise.resolve();

describe('the statement waits while somebody else', () => {
  test.each([
    ['freezes the wallet', 1n, set('frozen = true'), { code: 'wallet_frozen' }],
    ['gives it a floor', 150n, set('allow_overdraft = true'), { balanceAfter: -50n }],
    ['spends too much', 41n, spend, { code: 'insufficient_funds' }],
    ['spends not too much', 40n, spend, { balanceAfter: 0n }],
    ['earns what is needed', 160n, earn, { balanceAfter: 0n }],
    ['puts coins on hold', 41n, hold, { code: 'insufficient_funds' }],
  ])('%s', async (_, amount, work, expected) => {
    const { outcome } = await meanwhile(debit(amount), work);
    expect(outcome).toMatchObject(expected);
  });

  test.each([
    ['spends coins', spend],
    ['freezes it', set('frozen = true')],
  ])('%s, and takes it back: nothing has changed, and it posts', async (_, work) => {
    const { outcome, rounds } = await meanwhile(debit(100n), work, 'ROLLBACK');
    expect(outcome).toMatchObject({ status: 'posted', balanceAfter: 0n });
    expect(rounds).toBe(AHEAD);
  });

  test('only looks: nothing has changed, and it posts', async () => {
    const { outcome, rounds } = await meanwhile(debit(100n), nothing);
    expect(outcome).toMatchObject({ status: 'posted', balanceAfter: 0n });
    expect(rounds).toBe(AHEAD);
  });

  test('has the wallet with the higher id: the one with the lower is locked already', async () => {
    const low = await rival.openWallet({});
    const high = await funded();
    await counted.remember({ walletId: low }, { walletId: high });
    await somebody.query('BEGIN');
    await somebody.query('SELECT FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE', [high]);
    const answer = program.transfer({
      from: { walletId: high },
      to: { walletId: low },
      amount: 9n,
    });
    await waiting(1);
    const free = await db.rows(
      'SELECT id FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED',
      [low],
    );
    await somebody.query('COMMIT');
    expect(free).toEqual([]);
    expect(await answer).toMatchObject({ status: 'posted', balanceAfter: 91n });
  });

  test.each(['for coins', 'for a hold', 'for another wallet'])('uses the key %s', async (what) => {
    const key = { idempotencyKey: `${what} ${alice}` };
    const request = { walletId: alice, amount: 1n, reason: 'purchase', ...key };
    const { outcome } = await meanwhile({ ...debit(2n), ...key }, (client) => {
      const within = rival.within(client);
      if (what === 'for a hold') return within.hold(request);
      return within.debit(what === 'for coins' ? request : { ...request, walletId: bob });
    });
    expect(outcome).toMatchObject({ code: 'idempotency_conflict' });
  });
});

test('its connection is lost meanwhile, and the user has another wallet: it posts once', async () => {
  const [user, other] = [`ada ${alice}`, `eve ${alice}`];
  const ada = await funded({ userId: user });
  const eve = await funded({ userId: other });
  await counted.remember({ userId: user });
  await somebody.query('BEGIN');
  await somebody.query('SELECT FROM trueup.wallets WHERE id = $1 FOR NO KEY UPDATE', [ada]);
  const answer = program.credit({ userId: user, amount: 7n, reason: 'winner' });
  await waiting(1);
  counted.proxy.down = true;
  const steps = [
    ['nobody', user],
    [user, other],
    [other, 'nobody'],
  ];
  for (const step of steps) {
    await db.run('UPDATE trueup.profiles SET user_id = $1 WHERE user_id = $2', step);
  }
  counted.proxy.down = false;
  await waiting(2);
  await somebody.query('COMMIT');
  const outcome = await answer;
  const [row] = await db.rows(
    `SELECT count(*) AS entries, min(wallet_id)::text AS wallet FROM trueup.entries WHERE wallet_id IN ($1, $2) AND amount = 7`,
    [ada, eve],
  );
  expect(row).toEqual({ entries: '1', wallet: outcome.status === 'posted' && outcome.walletId });
});

test('its connection is lost before it has begun: it is never carried out', async () => {
  await somebody.query('BEGIN');
  await somebody.query('LOCK TABLE trueup.spending_limits IN ACCESS EXCLUSIVE MODE');
  const zombies = await db.rows<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'counted' AND datname = current_database()`,
  );
  const first = zombies.map(({ pid }) => pid);
  // The statement reaches the server, and lies there unread.
  for (const pid of first) process.kill(pid, 'SIGSTOP');
  counted.proxy.cut('race');
  const answer = program.credit({ walletId: alice, amount: 7n, reason: 'winner' });
  // It was looked for, and not found. What is posted in its stead waits for the table, and is ended.
  const second = (await waiting(1)).filter((pid) => !first.includes(pid));
  counted.proxy.down = true;
  await db.run('SELECT pg_terminate_backend(pid, 20000) FROM unnest($1::integer[]) AS pid', [
    second,
  ]);
  await somebody.query('COMMIT');
  for (const pid of first) process.kill(pid, 'SIGCONT');
  await vi.waitUntil(
    () =>
      db.value<boolean>(
        'SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY ($1::integer[]))',
        [first],
      ),
    { timeout: 20_000, interval: 2 },
  );
  const before = await rival.getBalanceDrift(alice);
  counted.proxy.down = false;
  expect(await answer).toMatchObject({ status: 'posted', balanceAfter: 107n });
  expect(before).toMatchObject({ ledgerBalance: 100n });
});

describe('two programs post to the same few wallets', () => {
  const CALLS = 300;
  const brief = (outcome: ItemOutcome): string => {
    if (outcome.status === 'refused') return outcome.code;
    return outcome.status === 'posted' && outcome.replayed ? 'again' : outcome.status;
  };

  /** Some callers at a time, as many calls as there are: so lanes of both are at work all the time. */
  async function callers(
    trueup: Trueup,
    make: (index: number) => PostItem,
  ): Promise<ItemOutcome[]> {
    const outcomes: ItemOutcome[] = [];
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < CALLS) {
        const index = next;
        next += 1;
        const [outcome] = await trueup.post([make(index)]);
        if (outcome !== undefined) outcomes[index] = outcome;
      }
    };
    await Promise.all(Array.from({ length: 16 }, caller));
    return outcomes;
  }

  test('every transfer is posted, or there were not the coins; the books close', async () => {
    const wallets = [alice, bob, await funded(), await funded()];
    const at = (index: number): { walletId: string } => ({ walletId: wallets[index % 4] ?? '' });
    const make = (step: number) => (index: number) => ({
      ...{
        type: 'transfer' as const,
        from: at(index * step),
        to: at(index * step + 1 + (index % 3)),
      },
      amount: BigInt(1 + (index % 90)),
    });
    const all = (await Promise.all([callers(program, make(1)), callers(rival, make(3))])).flat();
    expect(all).toHaveLength(2 * CALLS);
    expect(
      all.map(brief).filter((word) => !['posted', 'insufficient_funds'].includes(word)),
    ).toEqual([]);
    const [sum] = await db.rows(
      `SELECT sum(amount)::text AS coins, count(counterparty_wallet_id)::text AS legs
         FROM trueup.entries WHERE wallet_id = ANY ($1::bigint[])`,
      [wallets],
    );
    const posted = all.filter(({ status }) => status === 'posted').length;
    expect(sum).toEqual({ coins: '400', legs: String(2 * posted) });
    expect(posted).toBeGreaterThan(CALLS / 2);
    const ids = all.map((outcome) => outcome.status === 'posted' && outcome.transactionId);
    expect(new Set(ids.filter((id) => id !== false)).size).toBe(posted);
  });

  test('the same keys in both: each posts once', async () => {
    const make = (index: number): PostItem => ({
      ...{ type: 'credit', walletId: index % 2 === 0 ? alice : bob, amount: 1n, reason: 'winner' },
      idempotencyKey: `${alice} ${String(index)}`,
    });
    const [one, other] = await Promise.all([callers(program, make), callers(rival, make)]);
    const pairs = one.map((outcome, index) => {
      const twin = other[index];
      return twin === undefined ? [] : [brief(outcome), brief(twin)].sort();
    });
    expect(pairs).toEqual(Array.from({ length: CALLS }, () => ['again', 'posted']));
    expect(await rival.getBalanceDrift(alice)).toMatchObject({ ledgerBalance: 250n });
    expect(await rival.getBalanceDrift(bob)).toMatchObject({ ledgerBalance: 250n });
  });

  test('everybody wants the last coins: they are spent once, and all of them', async () => {
    const make = (): PostItem => debit(1n);
    const all = (await Promise.all([callers(program, make), callers(rival, make)])).flat();
    const words = all.map(brief);
    expect(words.filter((word) => word === 'posted')).toHaveLength(100);
    expect(words.filter((word) => word === 'insufficient_funds')).toHaveLength(2 * CALLS - 100);
  });
});

test('and after all of this every promise holds', async () => {
  expect(await brokenPromises(db, rival)).toEqual([]);
});
