import type { Database } from '../postgres/database.js';
import type { Bench } from './context.js';
import { seconds } from './measure.js';
import { MILLION, onOwnTables, runAll, show } from './own-tables.js';
import { figure, paired } from './report.js';
import * as statements from './reconcile-statements.js';

/** Scenario `repair` of group `reconcile`: every wallet has drifted. */

const ROUNDS = 3;

/** Wallets that the original's way is tried on, and the rate taken from. */
const SAMPLE = 500;

/** Repairs 1,000,000 wallets with 10,000,000 entries. */
export async function repair(bench: Bench): Promise<void> {
  await onOwnTables(bench, MILLION, async ({ trueup, database }, { wallets }) => {
    const ours: number[] = [];
    const bare: number[] = [];
    const original: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      await runAll(database, statements.drift(wallets));
      original.push(await originalWay(database, Math.min(SAMPLE, wallets)));
      bare.push(wallets / (await seconds(() => setBased(database))));
      await runAll(database, statements.drift(wallets));
      ours.push(wallets / (await seconds(() => trueup.reconcile({ all: true, jobs: 2 }))));
      bench.say(
        `  round ${String(round)} original ${show(original)} wallets/s, bare UPDATE ${show(bare)} wallets/s, ` +
          `reconcile ${show(ours)} wallets/s`,
      );
    }
    const facts = { group: 'reconcile', unit: 'wallets/s' };
    const updates = paired(ours, 'a bare set-based UPDATE of wallets and profiles', bare);
    const target = 'at least 20,000 wallets/s, or a ratio of 0.5';
    bench.report(figure({ ...facts, scenario: 'repair', ...updates, target }));
    bench.report(
      figure({
        ...facts,
        scenario: 'repair-original',
        ...paired(ours, "the original's way, a wallet a transaction", original),
        target: 'a ratio of at least 50',
      }),
    );
  });
}

/** No lock first, no record, no cause, nothing to resume: what a person types who is alone with the tables. */
async function setBased(database: Database): Promise<void> {
  await database.transaction(
    async (session) => {
      for (const statement of statements.settleOwnTables) await session.query(statement);
    },
    { settings: { work_mem: '64MB' } },
  );
}

/** @returns wallets a second */
async function originalWay(database: Database, sample: number): Promise<number> {
  const { lockWallet, lockProfile, sum, updateWallet, updateProfile } = statements.originalRepair;
  const wallets = await database.query<{ id: string }>({
    ...statements.ownWalletIds,
    values: [sample],
  });
  const took = await seconds(async () => {
    for (const { id } of wallets) {
      await database.transaction(async (session) => {
        const [wallet] = await session.query<{ profile_id: string }>({
          ...lockWallet,
          values: [id],
        });
        const profile = wallet?.profile_id;
        await session.query({ ...lockProfile, values: [profile] });
        const [truth] = await session.query<{ balance: string; earnings: string }>({
          ...sum,
          values: [id],
        });
        await session.query({ ...updateWallet, values: [id, truth?.balance, truth?.earnings] });
        await session.query({
          ...updateProfile,
          values: [profile, truth?.balance, truth?.earnings],
        });
      });
    }
  });
  return wallets.length / took;
}
