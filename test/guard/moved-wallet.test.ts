import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';

/** An application gives a wallet to another profile: what docs/guard.md says about it. */

const db = await createDatabase('empty');
let economy: Economy;
let trueup: Trueup;

async function adopt(deferred: boolean): Promise<void> {
  await db.run('DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS trueup CASCADE');
  economy = await createEconomy(db, 3);
  trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ deferred });
  await entry(1, 10);
  await entry(2, 5);
  await trueup.carry();
  await db.run('INSERT INTO app.profile (id, user_id, shown, earned) VALUES (109, 9, 0, 0)');
}

const entry = (wallet: number, amount: number): Promise<void> =>
  db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [wallet, amount]);

const profiles = async (): Promise<string[]> =>
  (
    await db.rows<{ line: string }>(
      `SELECT concat_ws(' ', id, trim_scale(shown), trim_scale(earned)) AS line FROM app.profile ORDER BY id`,
    )
  ).map(({ line }) => line);

async function move(wallet: number, profile: number): Promise<void> {
  const application = await db.connect();
  await application.query('UPDATE app.wallet SET profile_id = $2 WHERE id = $1', [wallet, profile]);
}

/** What a whole dry run says about each profile: its cause, and from what to what. */
async function drifted(): Promise<string[]> {
  const found: string[] = [];
  await trueup.reconcile({
    all: true,
    dryRun: true,
    onFinding: ({ profileId, field, cached, expected, cause }) => {
      if (field === 'balance') {
        found.push(`${profileId ?? ''}: ${cached ?? 'null'}, not ${expected}: ${cause}`);
      }
    },
  });
  return found;
}

describe('profiles that follow in the commit', () => {
  beforeEach(() => adopt(false));

  test('the wallet is right, the new profile lacks what was before, and the old one keeps it', async () => {
    await move(1, 109);
    await entry(1, 3);
    expect(await profiles()).toEqual(['101 10 10', '102 5 5', '103 0 0', '109 3 3']);
    expect(await drifted()).toEqual(['109: 3, not 13: entry_missed', '101: 10, not 0: no_history']);
    await trueup.reconcile({ all: true });
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
    expect(await profiles()).toEqual(['101 10 10', '102 5 5', '103 0 0', '109 13 13']);
    expect(await drifted()).toEqual(['101: 10, not 0: no_history']);
  });

  test('an old profile that gets another wallet is repaired too', async () => {
    await db.run('ALTER TABLE app.wallet DROP CONSTRAINT wallet_profile_id_key');
    const application = await db.connect();
    await application.query(
      'UPDATE app.wallet SET profile_id = 203 - profile_id WHERE id IN (1, 2)',
    );
    await trueup.reconcile({ all: true });
    expect(await profiles()).toEqual(['101 5 5', '102 10 10', '103 0 0', '109 0 0']);
    expect(await drifted()).toEqual([]);
  });
});

test('deferred profiles: the next entry makes the new one right, and the old one keeps its coins', async () => {
  await adopt(true);
  await move(1, 109);
  await trueup.carry();
  expect(await profiles()).toEqual(['101 10 10', '102 5 5', '103 0 0', '109 0 0']);
  await entry(1, 3);
  await trueup.carry();
  expect(await profiles()).toEqual(['101 10 10', '102 5 5', '103 0 0', '109 13 13']);
});

describe.each([false, true])('the way that docs/guard.md tells (deferred: %s)', (deferred) => {
  beforeEach(() => adopt(deferred));

  test('brings both profiles right in the same commit, also beside an entry', async () => {
    const guide = readFileSync(new URL('../../docs/guard.md', import.meta.url), 'utf8');
    const [, recipe] = /```sql\n(BEGIN;[^`]*)```/.exec(guide) ?? [];
    const steps = (recipe ?? '')
      .replaceAll('$wallet', '1')
      .replaceAll('$new', '109')
      .replaceAll('$old', '101')
      .split(/;\n/)
      .filter((step) => step.trim() !== '');
    expect(steps).toHaveLength(6);
    const application = await db.connect();
    const other = await db.connect();
    for (const step of steps.slice(0, 3)) await application.query(step);
    const waiting = other.query('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 3)');
    const { processID } = other as typeof other & { processID: number };
    await vi.waitUntil(
      () => db.value<boolean>('SELECT cardinality(pg_blocking_pids($1)) > 0', [processID]),
      { timeout: 20_000, interval: 2 },
    );
    for (const step of steps.slice(3)) await application.query(step);
    await waiting;
    await trueup.carry();
    expect(await profiles()).toEqual(['101 0 0', '102 5 5', '103 0 0', '109 13 13']);
    expect(await drifted()).toEqual([]);
  });
});
