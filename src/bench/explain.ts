import { OWN_MAPPING, withDatabase, type Bench } from './context.js';
import { breakChain, sumOfEntries } from './explain-statements.js';
import { seconds } from './measure.js';
import { figure, paired } from './report.js';
import * as statements from './reconcile-statements.js';

const ENTRIES = 1_000_000;
const ROUNDS = 5;
const WALLET = '1';

/** The story of a wallet with 1,000,000 entries: drifted, and then with a break in its history too. */
export async function explain(bench: Bench): Promise<void> {
  await withDatabase(bench, OWN_MAPPING, async ({ trueup, database }) => {
    const entries = Math.max(1_000, Math.round(ENTRIES * bench.options.scale));
    bench.say(`  filling 1 wallet, ${entries.toLocaleString('en-US')} entries ...`);
    for (const statement of [...statements.fillOwnTables(1, entries), ...statements.drift(1)]) {
      await database.query(statement);
    }
    const measure = async (scenario: string): Promise<void> => {
      const ours: number[] = [];
      const sums: number[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        sums.push(await seconds(() => database.query(sumOfEntries(WALLET))));
        ours.push(await seconds(() => trueup.explain({ walletId: WALLET })));
      }
      bench.report(
        figure({
          group: 'reconcile',
          scenario,
          unit: 's',
          ...paired(ours, 'the sum of its entries alone', sums),
          target: 'under 2 seconds for 1,000,000 entries',
        }),
      );
    };
    await measure('explain');
    for (const text of breakChain(WALLET)) await database.query({ text });
    await measure('explain-break');
  });
}
