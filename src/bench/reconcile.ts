import type { Database } from '../postgres/database.js';
import { OWN_MAPPING, withDatabase, type Bench } from './context.js';
import { memoryOf } from './memory.js';
import { seconds } from './measure.js';
import { MILLION, onOwnTables, runAll, show } from './own-tables.js';
import { figure, paired } from './report.js';
import * as statements from './reconcile-statements.js';

/** Group `reconcile`: what finding drift costs, in time and in memory. */

const ROUNDS = 5;
const SCATTERED_ROUNDS = 3;

const ONE_CORE = { max_parallel_workers_per_gather: '0' } as const;

/** Looks for drift in 1,000,000 wallets with 10,000,000 entries, with one job and with two. */
export async function scan(bench: Bench): Promise<void> {
  await onOwnTables(bench, MILLION, async ({ trueup, database }) => {
    const check = (jobs: number): Promise<number> =>
      seconds(() => trueup.reconcile({ all: true, dryRun: true, jobs }));
    const bare: number[] = [];
    const whole: number[] = [];
    const onOneCore: number[] = [];
    const one: number[] = [];
    const two: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      bare.push(await seconds(() => withMemory(database, statements.bareGroupBy)));
      whole.push(await seconds(() => withMemory(database, statements.wholeComparison)));
      onOneCore.push(
        await seconds(() => withMemory(database, statements.wholeComparison, ONE_CORE)),
      );
      one.push(await check(1));
      two.push(await check(2));
      bench.say(
        `  round ${String(round)} bare ${show(bare)} s, whole ${show(whole)} s, on one core ${show(onOneCore)} s, ` +
          `reconcile ${show(one)} s, with two jobs ${show(two)} s`,
      );
    }
    const facts = { group: 'reconcile', unit: 's' };
    const unbatched = paired(one, 'one unbatched statement', whole);
    const target = 'a ratio of at most 1.25';
    bench.report(figure({ ...facts, scenario: 'scan', ...unbatched, target }));
    // PostgreSQL gives a statement of that size several processes; one job has one, whatever is free.
    const alone = paired(one, 'one unbatched statement, on one core', onOneCore);
    bench.report(figure({ ...facts, scenario: 'scan-one-core', ...alone }));
    const both = paired(two, 'one unbatched statement', whole);
    bench.report(figure({ ...facts, scenario: 'scan-two-jobs', ...both, target }));
    const jobs = paired(two, 'with one job', one);
    bench.report(figure({ ...facts, scenario: 'scan-jobs', ...jobs, target: 'a ratio below 1' }));
    const group = paired(one, 'bare GROUP BY of the ledger', bare);
    bench.report(figure({ ...facts, scenario: 'scan-bare', ...group }));
    await scattered(bench, database, check);
  });
}

/** The same, where the rows of wallets and profiles lie in no order. */
async function scattered(
  bench: Bench,
  database: Database,
  check: (jobs: number) => Promise<number>,
): Promise<void> {
  await runAll(database, statements.scatter);
  const whole: number[] = [];
  const one: number[] = [];
  for (let round = 1; round <= SCATTERED_ROUNDS; round += 1) {
    whole.push(await seconds(() => withMemory(database, statements.wholeComparison)));
    one.push(await check(1));
    bench.say(
      `  scattered, round ${String(round)} whole ${show(whole)} s, reconcile ${show(one)} s`,
    );
  }
  const unbatched = paired(one, 'one unbatched statement', whole);
  bench.report(figure({ group: 'reconcile', unit: 's', scenario: 'scan-scattered', ...unbatched }));
}

/** Peak memory of the command, with 10,000 wallets and with 1,000,000, half of them drifted. */
export async function memory(bench: Bench): Promise<void> {
  const peaks: number[] = [];
  for (const wallets of [10_000, 1_000_000]) {
    const count = Math.max(1_000, Math.round(wallets * bench.options.scale));
    bench.say(`  ${count.toLocaleString('en-US')} wallets ...`);
    await withDatabase(bench, OWN_MAPPING, async ({ database, environment }) => {
      await runAll(database, statements.fillOwnTables(count, count));
      await runAll(database, statements.drift(Math.round(count / 2)));
      peaks.push(
        await memoryOf(['reconcile', '--all', '--jobs', '2', '--json', '--quiet'], environment),
      );
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

/** The baselines get the memory that reconcile gives its own statements. */
async function withMemory(
  database: Database,
  statement: { text: string },
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  await database.transaction((session) => session.query(statement), {
    readOnly: true,
    settings: { work_mem: '64MB', ...settings },
  });
}
