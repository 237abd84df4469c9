import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { runTrueup, startTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createTiers } from '../support/tiers.js';
import { temporaryFolder, writeConfig } from './fixture.js';

/** An approval, a plan or an undo whose process was killed is not taken for one under way. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
const plan = join(folder, 'plan.jsonl');
let config: string;

const trueup = (...args: string[]): Promise<CliRun> =>
  runTrueup([...args, '--config', config], { databaseUrl: db.url });

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  config = writeConfig(folder, 'app.json', (await createTiers(db, 6)).mapping);
  await db.run('UPDATE app.wallet SET balance = balance + 1250 WHERE id IN (2, 3)');
});

/** From here on whoever writes a wallet stays in the middle of it. */
async function gate(): Promise<void> {
  await db.run(`
    CREATE FUNCTION app.stay() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON app.wallet FOR EACH ROW EXECUTE FUNCTION app.stay()`);
}

const STAYING = `FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`;

test.each([
  ['approve', ['reconcile', '--all', '--unattended'], ['runs', 'approve', 'last', '--all']],
  ['apply', ['reconcile', '--all', '--plan', plan], ['reconcile', '--apply', plan]],
  ['undo', ['reconcile', '--all'], ['undo', 'last']],
])('%s', async (kind, before, order) => {
  await trueup(...before);
  await gate();
  const run = startTrueup([...order, '--config', config], { databaseUrl: db.url });
  onTestFinished(async () => {
    run.child.kill('SIGKILL');
    await db.run(`SELECT pg_terminate_backend(pid) ${STAYING}`);
  });
  await expect.poll(async () => (await db.rows(`SELECT pid ${STAYING}`)).length).toBe(1);
  const id = await db.value(`SELECT id FROM trueup.runs WHERE kind = '${kind}'`);
  expect((await trueup('runs')).stdout).toMatch(new RegExp(` ${kind} +running `));
  const undone = await trueup('undo', id);
  expect(undone.stderr).toContain('[run_under_way]');
  expect(undone.stderr).toContain(`or end it first: process ${String(run.child.pid)} on `);
  const steered = await trueup('runs', 'stop', id);
  expect(steered.stderr).toContain(`run ${id} is of kind ${kind} [run_not_running]`);

  run.child.kill('SIGKILL');
  await run.ended;
  const alive = `SELECT FROM pg_stat_activity AS a JOIN trueup.runs AS r ON a.pid = r.backend
                  WHERE r.id = '${id}'`;
  await expect.poll(async () => (await db.rows(alive)).length).toBe(0);
  expect((await trueup('runs')).stdout).toMatch(new RegExp(` ${kind} +abandoned `));
  // Whoever runs next writes it down.
  await db.run(`SELECT pg_terminate_backend(pid) ${STAYING}`);
  await db.run('DROP TRIGGER gate ON app.wallet');
  await trueup('reconcile', '--all');
  expect(await db.rows(`SELECT state, backend FROM trueup.runs WHERE id = '${id}'`)).toEqual([
    { state: 'abandoned', backend: null },
  ]);
});
