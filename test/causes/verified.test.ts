import { beforeEach, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { STAGES, unseen, type Stage } from '../support/stages.js';
import { writeByHand } from '../support/injections.js';

/** When a ledger counts as verified: what is wrong later did not come with its adoption. */

const db = await createDatabase('empty');
let stage: Stage;

beforeEach(async () => {
  const build = STAGES['adopted tables'];
  if (build === undefined) throw new Error('there is no such stage');
  stage = await build(db);
  await db.run('UPDATE trueup.sync_installations SET verified_at = NULL; TRUNCATE trueup.repairs');
});

const verified = (): Promise<boolean> =>
  db.value<boolean>('SELECT verified_at IS NOT NULL FROM trueup.sync_installations');

test.each<[string, boolean, string, (stage: Stage) => Promise<unknown>]>([
  ['a run over all that finds nothing', true, '', ({ trueup }) => trueup.reconcile({ all: true })],
  [
    'a run over all that repairs all',
    true,
    'UPDATE app.wallet SET balance = 1 WHERE id = 1',
    ({ trueup }) => trueup.reconcile({ all: true }),
  ],
  [
    'a dry run, which writes nothing',
    false,
    '',
    ({ trueup }) => trueup.reconcile({ all: true, dryRun: true }),
  ],
  ['a run over one user', false, '', ({ trueup }) => trueup.reconcile({ userIds: ['1'] })],
  ['a run that was limited', false, '', ({ trueup }) => trueup.reconcile({ all: true, limit: 1 })],
  [
    'a run that leaves a cache wrong',
    false,
    'DELETE FROM app.profile WHERE id = 101',
    ({ trueup }) => trueup.reconcile({ all: true }),
  ],
  [
    'a run that leaves coins without history, which stay what they are',
    true,
    'UPDATE app.wallet SET balance = 1 WHERE id = 2',
    ({ trueup }) => trueup.reconcile({ all: true }),
  ],
  [
    'a run that leaves a running balance, which is no cache',
    true,
    'UPDATE app.ledger SET after = after + 1 WHERE amount = 2003',
    ({ trueup }) => trueup.reconcile({ all: true }),
  ],
])('%s: %s', async (_, expected, fault, work) => {
  await db.run(fault);
  await work(stage);
  expect(await verified()).toBe(expected);
});

test('it counts from before whatever was open when the run began', async () => {
  const slow = await db.connect();
  await slow.query('BEGIN');
  const begun = await slow.query<{ at: string }>('SELECT now()::text AS at');
  await slow.query(`SELECT 1 FROM app.profile`);
  await stage.trueup.reconcile({ all: true });
  expect(
    await db.value<boolean>(
      'SELECT verified_at <= $1::timestamptz FROM trueup.sync_installations',
      [begun.rows[0]?.at],
    ),
  ).toBe(true);
  await slow.query('ROLLBACK');
});

test('never verified, a service that repairs one wallet makes a beginning for it alone', async () => {
  await db.run(unseen(writeByHand(stage, 17, false)));
  const before = await stage.trueup.getBalanceDrift('1');
  expect(before.findings.map(({ cause }) => cause)).toEqual(['before_adoption']);
  const synced = await stage.trueup.syncWalletToProfile('1');
  expect(synced.findings).toMatchObject([{ cause: 'before_adoption', repaired: true }]);
  await db.run(unseen(writeByHand(stage, 19, false)));
  const after = await stage.trueup.getBalanceDrift('1');
  expect(after.findings.map(({ cause }) => cause)).toEqual(['unknown']);
});
