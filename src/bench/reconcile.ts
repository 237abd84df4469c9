import type { Database } from '../postgres/database.js';
import { OWN_MAPPING, withDatabase, type Bench, type BenchDatabase } from './context.js';
import { memoryOf } from './memory.js';
import { seconds } from './measure.js';
import { figure, paired } from './report.js';
import * as statements from './reconcile-statements.js';

/** Group `reconcile`: what finding and repairing drift costs. */

const SCANNED = { wallets: 200_000, entries: 5_000_000 };
const REPAIRED = { wallets: 100_000, entries: 1_000_000 };
const SAMPLE = 500;
const ROUNDS = 5;
const REPAIR_ROUNDS = 5;

/** Finds drift in 200,000 wallets with 5,000,000 entries. */
export async function scan(bench: Bench): Promise<void> {
  await onOwnTables(bench, SCANNED, async ({ trueup, database }) => {
    const ours: number[] = [];
    const whole: number[] = [];
    const bare: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      bare.push(await seconds(() => withMemory(database, statements.bareGroupBy)));
      whole.push(await seconds(() => withMemory(database, statements.wholeComparison)));
      ours.push(await seconds(() => trueup.reconcile({ all: true, dryRun: true })));
      bench.say(
        `  round ${String(round)} bare ${show(bare)} s, whole ${show(whole)} s, reconcile ${show(ours)} s`,
      );
    }
    const facts = { group: 'reconcile', unit: 's' };
    bench.report(
      figure({
        ...facts,
        scenario: 'scan',
        ...paired(ours, 'one unbatched statement', whole),
        target: 'a ratio of at most 1.8',
      }),
    );
    bench.report(
      figure({
        ...facts,
        scenario: 'scan-bare',
        ...paired(ours, 'bare GROUP BY of the ledger', bare),
      }),
    );
  });
}

/** Repairs 100,000 wallets with 1,000,000 entries, all of which have drifted. */
export async function repair(bench: Bench): Promise<void> {
  await onOwnTables(bench, REPAIRED, async ({ trueup, database }) => {
    const drifted = scaled(bench, REPAIRED.wallets);
    const ours: number[] = [];
    const original: number[] = [];
    for (let round = 1; round <= REPAIR_ROUNDS; round += 1) {
      for (const statement of statements.drift(drifted)) await database.query(statement);
      original.push(await originalWay(database, Math.min(SAMPLE, drifted)));
      const took = await seconds(() => trueup.reconcile({ all: true }));
      ours.push(drifted / took);
      bench.say(
        `  round ${String(round)} original ${show(original)} wallets/s, reconcile ${show(ours)} wallets/s`,
      );
    }
    bench.report(
      figure({
        group: 'reconcile',
        scenario: 'repair',
        unit: 'wallets/s',
        ...paired(ours, "the original's way, a wallet a transaction", original),
        target: 'a ratio of at least 50',
      }),
    );
  });
}

/** Peak memory of the command, with 10,000 wallets and with 1,000,000, half of them drifted. */
export async function memory(bench: Bench): Promise<void> {
  const peaks: number[] = [];
  for (const wallets of [10_000, 1_000_000]) {
    const count = Math.max(1_000, Math.round(wallets * bench.options.scale));
    bench.say(`  ${count.toLocaleString('en-US')} wallets ...`);
    await withDatabase(bench, OWN_MAPPING, async ({ database, environment }) => {
      await fill(database, count, count);
      for (const statement of statements.drift(Math.round(count / 2))) {
        await database.query(statement);
      }
      peaks.push(await memoryOf(['reconcile', '--all', '--json', '--quiet'], environment));
    });
  }
  const [small = Number.NaN, large = Number.NaN] = peaks;
  bench.report(
    figure({
      group: 'reconcile',
      scenario: 'memory',
      unit: 'MB',
      value: large,
      baseline: { name: 'with a hundredth of the wallets', value: small },
      target: 'flat, and under 200 MB',
    }),
  );
}

async function onOwnTables(
  bench: Bench,
  size: { readonly wallets: number; readonly entries: number },
  work: (lent: BenchDatabase) => Promise<void>,
): Promise<void> {
  await withDatabase(bench, OWN_MAPPING, async (lent) => {
    const [wallets, entries] = [scaled(bench, size.wallets), scaled(bench, size.entries)];
    bench.say(
      `  filling ${wallets.toLocaleString('en-US')} wallets, ${entries.toLocaleString('en-US')} entries ...`,
    );
    await fill(lent.database, wallets, entries);
    await work(lent);
  });
}

async function fill(database: Database, wallets: number, entries: number): Promise<void> {
  for (const statement of statements.fillOwnTables(wallets, entries)) {
    await database.query(statement);
  }
}

function scaled(bench: Bench, count: number): number {
  return Math.max(100, Math.round(count * bench.options.scale));
}

/** The baselines get the memory that reconcile gives its own statements. */
async function withMemory(database: Database, statement: { text: string }): Promise<void> {
  await database.transaction((session) => session.query(statement), {
    readOnly: true,
    settings: { work_mem: '64MB' },
  });
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

function show(values: readonly number[]): string {
  return (values.at(-1) ?? Number.NaN).toPrecision(3);
}
