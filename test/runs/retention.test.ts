import { beforeEach, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import type { Economy } from '../support/economy.js';
import { createTiers } from '../support/tiers.js';

/** How long what runs have found is kept. */

const db = await createDatabase('empty');
const OLD = '00000000-0000-4000-8000-00000000000a';
let economy: Economy;
let trueup: Trueup;

/** A run that ended 91 days ago, with findings that were closed and findings that were not. */
beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE');
  economy = await createTiers(db, 3);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.reconcile({ userIds: ['1'] }); // migrates
  await db.run('TRUNCATE trueup.runs, trueup.findings, trueup.suspects, trueup.repairs');
  await db.run(`
    INSERT INTO trueup.runs (id, kind, ledger, options, version, scope, state, started_at, finished_at)
    VALUES ('${OLD}', 'reconcile', '"app"."ledger"', '{}', '1', 'all', 'interrupted',
            now() - interval '92 days', now() - interval '91 days');
    INSERT INTO trueup.suspects (run_id, wallet_id, delta, repairable) VALUES ('${OLD}', '1', 5, true);
    INSERT INTO trueup.repairs (run_id, wallet_id, cause, changes) VALUES ('${OLD}', '1', 'unknown', '{}');
    INSERT INTO trueup.findings (run_id, ledger, wallet_id, state, message, found_at, settled_at)
    SELECT '${OLD}', '"app"."ledger"', wallet, state, message, now() - interval '91 days', settled
      FROM (VALUES ('gone 1', 'reported', NULL::timestamptz), ('gone 2', 'skipped', NULL), ('gone 3', 'failed', NULL),
                   ('gone 4', 'review', now()), ('gone 5', 'critical', now()),
                   ('kept 1', 'review', NULL), ('kept 2', 'critical', NULL)) AS f (message, state, settled)
     CROSS JOIN (VALUES ('77')) AS w (wallet)`);
});

const messages = async (): Promise<string[]> =>
  (await db.rows(`SELECT message FROM trueup.findings ORDER BY message`)).map(
    ({ message = '' }) => message,
  );

/** Findings that are open would be closed by the run itself: it has not seen these. */
const unseen = `UPDATE trueup.findings SET ledger = '"other"."ledger"' WHERE message LIKE 'kept%'`;

test('a run over all deletes what is older than 90 days, but not what waits for people', async () => {
  await db.run(unseen);
  expect((await trueup.reconcile({ all: true })).exitStatus).toBe(0);
  expect(await messages()).toEqual(['kept 1', 'kept 2']);
  expect(await db.value('SELECT count(*)::text FROM trueup.suspects')).toBe('0');
  expect(await db.value('SELECT count(*)::text FROM trueup.repairs')).toBe('1');
});

test.each([
  [92, 7],
  [90, 2],
])('what is kept for %i days', async (days, left) => {
  await db.run(unseen);
  await trueup.reconcile({ all: true, keepFindings: days * 86_400 });
  expect(await messages()).toHaveLength(left);
});

test.each<[string, () => Promise<unknown>]>([
  ['a run over some wallets', () => trueup.reconcile({ userIds: ['1'] })],
  ['a dry run', () => trueup.reconcile({ all: true, dryRun: true })],
  ['a run that does not come to its end', () => trueup.reconcile({ all: true, limit: 1 })],
])('%s deletes nothing', async (_, run) => {
  await run();
  expect(await messages()).toHaveLength(7);
});

test('what another ledger has is left alone', async () => {
  await db.run(`UPDATE trueup.runs SET ledger = '"other"."ledger"'`);
  await trueup.reconcile({ all: true });
  expect(await messages()).toHaveLength(7);
});
