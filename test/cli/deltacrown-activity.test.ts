import { readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { runTrueup, startTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { deltacrown, platformIn, REPAIRED } from './deltacrown.js';
import { temporaryFolder, writeConfig } from './fixture.js';

/** The platform of UP-M3 with its activity table and in deferred mode, through the program alone. */

const db = await createDatabase('empty');
const { load, shown } = platformIn(db);
const folder = temporaryFolder();
let config: string;

const trueup = (words: string): Promise<CliRun> =>
  runTrueup([...words.split(' '), '--config', config], { databaseUrl: db.url });

deltacrown.describe('deferred mode and activity on the UP-M3 example', () => {
  beforeEach(async () => {
    await load();
    const mapping = JSON.parse(readFileSync(deltacrown.config, 'utf8')) as object;
    config = writeConfig(folder, 'activity.json', {
      ...mapping,
      activity: {
        table: 'user_profile_useractivity',
        id: 'id',
        user: 'user_id',
        type: 'event_type',
        sourceModel: 'source_model',
        sourceId: 'source_id',
        metadata: 'metadata',
        occurredAt: 'timestamp',
        createdAt: 'created_at',
        source: 'economy',
      },
    });
    expect((await trueup('reconcile --all')).status).toBe(0);
  });

  const pay = (wallet: number, amount: number): Promise<void> =>
    db.run(
      `INSERT INTO economy_deltacrowntransaction (wallet_id, amount, reason, note, created_at) VALUES ($1, $2, 'winner', '', now())`,
      [wallet, amount],
    );
  const activity = (): Promise<Record<string, unknown>[]> =>
    db.rows(
      `SELECT user_id, event_type, source_model, source_id, metadata FROM user_profile_useractivity ORDER BY source_id`,
    );

  test('entries become events, old ones when asked, each once', async () => {
    expect((await trueup('sync install')).status).toBe(0);
    await pay(1, 6);
    expect(await activity()).toEqual([
      {
        user_id: '1',
        event_type: 'coins_earned',
        source_model: 'economy',
        source_id: '8',
        metadata: { amount: 6, reason: 'winner', wallet_id: 1 },
      },
    ]);
    expect(await trueup('sync backfill-activity')).toMatchObject({
      status: 0,
      stdout: 'missing 7  written 7  failed 0\n',
    });
    expect((await trueup('sync backfill-activity')).stdout).toBe(
      'missing 0  written 0  failed 0\n',
    );
    const all = await activity();
    expect(all).toHaveLength(8);
    expect(all[2]).toMatchObject({
      event_type: 'coins_spent',
      metadata: { amount: 50, reason: 'entry_fee_debit', balance_after: 494 },
    });
  });

  test('an event that the table cannot take is told by status and written by heal', async () => {
    await trueup('sync install');
    await db.run('ALTER TABLE user_profile_useractivity ADD CHECK (source_id <> 8)');
    await pay(1, 6);
    const status = await trueup('sync status');
    expect(status.status).toBe(2);
    expect(status.stdout).toContain('activity events waiting: 1: trueup sync heal');
    expect((await trueup('sync heal')).stdout).toBe('healed 0  failed 1\n');
    await db.run(
      'ALTER TABLE user_profile_useractivity DROP CONSTRAINT user_profile_useractivity_source_id_check',
    );
    expect(await trueup('sync heal')).toMatchObject({ status: 0, stdout: 'healed 1  failed 0\n' });
    expect(await activity()).toHaveLength(1);
    expect((await trueup('sync status')).status).toBe(0);
  });

  test('deferred: status, a run, heal and a watcher', async () => {
    const installed = await trueup('sync install --deferred');
    expect(installed).toMatchObject({ status: 0 });
    expect(installed.stdout).toContain('is installed, profiles deferred');
    await pay(1, 6);
    expect(await shown()).toEqual(REPAIRED);
    expect((await trueup('reconcile --all --dry-run')).status).toBe(0);
    const status = await trueup('sync status');
    expect(status.status).toBe(0);
    expect(status.stdout).toContain('profiles are deferred; marks waiting: 1, the oldest since ');
    await db.run("UPDATE trueup.profile_marks SET marked_at = now() - interval '1 minute'");
    const stuck = await trueup('sync status');
    expect(stuck.status).toBe(2);
    expect(stuck.stdout).toContain('does a Trueup run? trueup sync heal --watch');
    expect((await trueup('sync heal')).stdout).toBe('carried 1\nhealed 0  failed 0\n');
    expect((await shown())[0]).toBe('1 500 550');

    const watcher = startTrueup(['sync', 'heal', '--watch', '--config', config], {
      databaseUrl: db.url,
    });
    await pay(2, 7);
    await watcher.saw('stdout', 'carried 1');
    expect((await shown())[1]).toBe('2 287 307');
    watcher.child.kill('SIGINT');
    expect((await watcher.ended).status).toBe(0);

    await pay(3, 1);
    expect((await trueup('sync install')).status).toBe(0);
    expect((await shown())[2]).toBe('3 240 240');
    expect((await trueup('sync status --json')).json()).toMatchObject([
      {
        state: 'installed',
        deferred: false,
        waitingMarks: 0,
        oldestMark: null,
        waitingActivity: 0,
      },
    ]);
  });
});
