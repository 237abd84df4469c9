import { proposeMapping } from '../index.js';
import * as statements from './adopt-statements.js';
import { OWN_MAPPING, withDatabase, type Bench } from './context.js';
import { seconds } from './measure.js';
import { figure, paired } from './report.js';

const TABLES = 2_000;
const ROUNDS = 5;

/** Proposing a mapping for a schema of 2,000 tables that all look like ledgers or wallets. */
export async function adopt(bench: Bench): Promise<void> {
  const tables = Math.max(10, Math.round(TABLES * bench.options.scale));
  await withDatabase(
    bench,
    OWN_MAPPING,
    async ({ database, options }) => {
      const ours: number[] = [];
      const columns: number[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        columns.push(await seconds(() => database.query({ text: statements.allColumns })));
        ours.push(await seconds(() => proposeMapping(options)));
      }
      bench.report(
        figure({
          group: 'adopt',
          scenario: 'propose',
          unit: 's',
          ...paired(ours, 'reading the names of all columns', columns),
          target: 'under 5 seconds for 2,000 tables',
        }),
      );
    },
    async (database) => {
      bench.say(`  creating ${tables.toLocaleString('en-US')} tables ...`);
      for (const text of statements.createTables(tables)) await database.query({ text });
    },
  );
}
