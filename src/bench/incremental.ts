import type { Bench } from './context.js';
import { seconds } from './measure.js';
import { MILLION, onOwnTables, runAll, show } from './own-tables.js';
import { figure, paired } from './report.js';
import * as statements from './reconcile-statements.js';

/** Scenario `incremental` of group `reconcile`: the check of a night on which little has happened. */

const ROUNDS = 3;

/** New entries, and wallets that get them, as a part of those that there are. */
const NEW = 0.01;

/**
 * Checks 1,000,000 wallets with 10,000,000 entries, and then, after 1% new entries of the busiest 1% of
 * the wallets, what was touched.
 */
export async function incremental(bench: Bench): Promise<void> {
  await onOwnTables(bench, MILLION, async ({ trueup, database }, { wallets, entries }) => {
    const whole: number[] = [];
    const touched: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      whole.push(await seconds(() => trueup.reconcile({ all: true })));
      await runAll(database, statements.addEntries(entries * NEW, wallets * NEW, round));
      let looked = 0;
      touched.push(
        await seconds(async () => {
          const { checked } = await trueup.reconcile({ sinceCheckpoint: true });
          looked = checked;
        }),
      );
      bench.say(
        `  round ${String(round)} whole ${show(whole)} s, incremental ${show(touched)} s ` +
          `(${looked.toLocaleString('en-US')} wallets)`,
      );
    }
    bench.report(
      figure({
        group: 'reconcile',
        scenario: 'incremental',
        unit: 's',
        ...paired(touched, 'a check of the whole', whole),
        target: 'a ratio of at most 0.05',
      }),
    );
  });
}
