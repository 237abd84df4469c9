import { beforeEach, describe, expect, test } from 'vitest';
import type { OperateOptions, OperationsEvent, RunningOperation, Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { LEDGER } from './support.js';

/** A program that keeps Trueup open and operates its ledger: nights, alerts, and their end. */

const db = await createDatabase('own');
let trueup: Trueup;

beforeEach(async () => {
  await db.run(`TRUNCATE trueup.schedule_slots, trueup.alerts, trueup.alert_conditions, trueup.runs,
                         trueup.findings, trueup.checkpoints, trueup.verified_ranges`);
  trueup = await db.trueup();
});

/** A slot was missed: whoever begins to operate makes it up. */
async function missSlot(): Promise<void> {
  await db.run('DELETE FROM trueup.schedule_slots');
  await db.run(
    `INSERT INTO trueup.schedule_slots (ledger, job, due_at, host, process, schedule, finished_at, outcome)
     VALUES ($1, 'reconcile', now() - interval '9 days', 'x', 1, '0 3 * * * UTC', now(), 'finished')`,
    [LEDGER],
  );
}

/** Operates until something has happened. */
async function operate(
  until: (event: OperationsEvent) => boolean,
  options: OperateOptions = {},
): Promise<{ readonly events: OperationsEvent[]; readonly operation: RunningOperation }> {
  const events: OperationsEvent[] = [];
  let operation: RunningOperation | undefined;
  await new Promise<void>((resolve, reject) => {
    const onEvent = (event: OperationsEvent): void => {
      events.push(event);
      if (until(event)) resolve();
    };
    trueup.operate({ ...options, onEvent }).then((begun) => {
      operation = begun;
    }, reject);
  });
  if (operation === undefined) throw new Error('it never began');
  return { events, operation };
}

const isEvent =
  (name: string) =>
  ({ event }: OperationsEvent): boolean =>
    event === name;

/** One night, and what kind of run it was. */
async function night(options: OperateOptions = {}): Promise<string> {
  await missSlot();
  const { operation } = await operate(isEvent('run_finished'), options);
  await operation.stop();
  return db.value(
    `SELECT scope FROM trueup.runs WHERE kind = 'reconcile' ORDER BY started_at DESC LIMIT 1`,
  );
}

/** The last full run was so long ago. */
const age = (ago: string): Promise<void> =>
  db.run(`UPDATE trueup.runs SET started_at = started_at - $1::interval WHERE scope = 'all'`, [
    ago,
  ]);

describe('a night', () => {
  test('is full at first, then incremental, and full again before the last one is too old', async () => {
    expect(await night()).toBe('all');
    expect(await night()).toBe('incremental');
    await age('5 days');
    expect(await night()).toBe('incremental');
    await age('2 days');
    expect(await night()).toBe('all');
    expect(await night({ fullEvery: 60 })).toBe('all');
  });

  test('goes on with an unattended run that had not come to its end', async () => {
    expect(await night()).toBe('all');
    await db.run(`UPDATE trueup.runs SET state = 'interrupted', finished_at = NULL`);
    await night();
    expect(await db.rows('SELECT resumed, state FROM trueup.runs')).toEqual([
      { resumed: 1, state: 'finished' },
    ]);
  });

  test('begins a new one where that cannot go on', async () => {
    await night();
    await db.run(`UPDATE trueup.runs SET state = 'interrupted', fingerprint = '{}'`);
    await night();
    expect(await runs()).toEqual(['interrupted 0', 'finished 0']);
  });

  test('leaves to people what people have begun', async () => {
    await trueup.reconcile({ all: true });
    await db.run(`UPDATE trueup.runs SET state = 'interrupted'`);
    await night();
    expect(await runs()).toEqual(['interrupted 0', 'finished 0']);
  });

  async function runs(): Promise<string[]> {
    const rows = await db.rows(
      `SELECT state || ' ' || resumed AS run FROM trueup.runs ORDER BY started_at`,
    );
    return rows.map(({ run }) => run ?? '');
  }
});

describe('an alert', () => {
  /** A user whose wallet shows what the ledger does not say. */
  async function drift(user: string): Promise<void> {
    const walletId = await trueup.openWallet({ userId: user });
    await trueup.credit({ walletId, amount: 5n, reason: 'winner' });
    await db.run('UPDATE trueup.wallets SET balance = 9 WHERE id = $1', [walletId]);
  }

  test('is raised with the end of the run, told to listeners, and listed', async () => {
    await drift('ada');
    const heard: string[] = [];
    trueup.on('alert', ({ kind, state }) => heard.push(`${kind} ${state}`));
    await missSlot();
    const { events, operation } = await operate(isEvent('run_finished'));
    await operation.stop();
    expect(heard).toContain('drift open');
    expect(events.map(({ event }) => event)).toContain('alert_raised');
    const { alerts, open } = await trueup.alerts();
    expect(open.map(({ kind }) => kind)).toContain('drift');
    expect(alerts.find(({ kind }) => kind === 'drift')).toMatchObject({
      state: 'open',
      severity: 'warning',
      deliveredAt: null,
      details: { drifted: 1 },
    });
    // The same transaction has ended the run and raised the alert.
    expect(
      await db.value(
        `SELECT count(*)::text FROM trueup.alerts AS a JOIN trueup.runs AS r ON r.id = a.run_id
          WHERE a.xmin = r.xmin AND a.kind = 'drift'`,
      ),
    ).toBe('1');
    expect((await trueup.alerts({ limit: 1 })).alerts).toHaveLength(1);
  });

  test('is raised by an unattended run that fails, and not by one that people watch', async () => {
    await db.run('ALTER TABLE trueup.verified_ranges RENAME TO gone');
    await db.run('ALTER TABLE trueup.findings RENAME TO gone_too');
    await expect(trueup.reconcile({ all: true })).rejects.toThrow();
    expect(await kinds()).toEqual([]);
    await expect(trueup.reconcile({ all: true, unattended: true })).rejects.toThrow();
    await db.run('ALTER TABLE trueup.gone RENAME TO verified_ranges');
    await db.run('ALTER TABLE trueup.gone_too RENAME TO findings');
    expect(await kinds()).toEqual(['run_failed']);
  });

  test('is raised by no run over some users', async () => {
    await drift('bea');
    await trueup.reconcile({ userIds: ['bea'] });
    expect(await kinds()).toEqual([]);
  });

  async function kinds(): Promise<string[]> {
    return (await trueup.alerts()).alerts.map(({ kind }) => kind);
  }
});

describe('the end', () => {
  test('of a Trueup is the end of what it operates, also in the middle of a run', async () => {
    await missSlot();
    await operate(isEvent('run_started'));
    await trueup.close();
    expect(
      await db.value(
        `SELECT count(*)::text FROM trueup.schedule_slots
          WHERE finished_at IS NULL AND heartbeat_at IS NOT NULL`,
      ),
    ).toBe('0');
  });

  test('may be asked for twice', async () => {
    const operation = await trueup.operate({ schedule: null });
    await Promise.all([operation.stop(), operation.stop()]);
    await operation.stop();
  });
});

describe('options that cannot be meant', () => {
  test.each<readonly [string, object]>([
    ['a schedule', { schedule: 'never' }],
    ['a schedule that is a number', { schedule: 3 }],
    ['a zone', { timeZone: 'Nowhere/Land' }],
    ['a span', { fullEvery: 0 }],
    ['a batch', { reconcile: { batchSize: 0 } }],
    ['what the schedule decides', { reconcile: { all: true } }],
    ['a dry run', { reconcile: { dryRun: true } }],
    ['a run that is none', { reconcile: 5 }],
    ['null for a run', { reconcile: null }],
    ['a webhook', { alerts: { webhook: 'mailto:x' } }],
    ['an unknown hook', { alerts: { pager: 'x' } }],
    ['a listener', { onEvent: 'x' }],
  ])('%s', async (_, options) => {
    await expect(trueup.operate(options as OperateOptions)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    expect(await db.value('SELECT count(*)::text FROM trueup.schedule_slots')).toBe('0');
  });
});
