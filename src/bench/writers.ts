import type { Bench, BenchDatabase } from './context.js';
import { memoryOf } from './memory.js';
import { numbers, steadily } from './measure.js';
import { MILLION, onOwnTables, runAll, show } from './own-tables.js';
import { figure, median, quantile } from './report.js';
import * as statements from './reconcile-statements.js';

/** Scenario `writers` of group `reconcile`: what those notice who write meanwhile. */

const ROUNDS = 3;
const WRITERS = 16;

/** About what 2 cores bear beside other work: nobody runs a platform at its limit. */
const ENTRIES_A_SECOND = 200;

/** One wallet in so many has drifted. */
const DRIFTED = 20;

/**
 * Entries by 16 writers at a steady rate, alone, and while the command checks 1,000,000 wallets with
 * 10,000,000 entries and repairs 5% of them. An entry takes from when it was due to when it was committed.
 */
export async function writers(bench: Bench): Promise<void> {
  await onOwnTables(bench, MILLION, async (lent, { wallets }) => {
    const alone: number[] = [];
    const beside: number[] = [];
    const calls: number[] = [];
    const peaks: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      await runAll(lent.database, statements.drift(Math.ceil(wallets / DRIFTED)));
      const quiet = await write(lent, wallets, () => pause(bench.options.seconds));
      const busy = await write(lent, wallets, async () => {
        peaks.push(await memoryOf(['reconcile', '--all', '--json', '--quiet'], lent.environment));
      });
      calls.push(...busy);
      alone.push(quantile(quiet, 0.99));
      beside.push(quantile(busy, 0.99));
      bench.say(
        `  round ${String(round)} p99 alone ${show(alone)} ms, beside reconcile ${show(beside)} ms ` +
          `(${String(busy.length)} entries), its memory ${show(peaks)} MB`,
      );
    }
    bench.report(
      figure({
        group: 'reconcile',
        scenario: 'writers',
        unit: 'ms',
        value: median(beside),
        p50Ms: median(calls),
        p99Ms: quantile(calls, 0.99),
        baseline: { name: 'p99 of the writers alone', value: median(alone) },
        target: 'a ratio of at most 2',
      }),
    );
  });
}

/** Writes as long as something takes. @returns milliseconds of each entry */
async function write(
  lent: BenchDatabase,
  wallets: number,
  meanwhile: () => Promise<void>,
): Promise<readonly number[]> {
  const random = numbers(5);
  const { database } = await lent.pool(WRITERS);
  try {
    return await steadily(
      database,
      { clients: WRITERS, perSecond: ENTRIES_A_SECOND, meanwhile },
      (session) =>
        session.query({
          ...statements.insertEntry,
          values: [1 + random(wallets), 1 + random(100)],
        }),
    );
  } finally {
    await database.close();
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
