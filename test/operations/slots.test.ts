import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { Schedule } from '../../src/operations/schedule/cron.js';
import { Slots, type Look, type Slot } from '../../src/operations/schedule/slots.js';
import { Database } from '../../src/postgres/database.js';
import { createDatabase } from '../support/database.js';
import { LEDGER, recordRun, recordRunUnderWay, slotsOf } from './support.js';

/** Who takes a slot, and when: as several schedulers see it that share one database. */

const db = await createDatabase('own');
const database = await Database.open({
  connection: { connectionString: db.url },
  applicationName: 'trueup test',
});
afterAll(() => database.close());

const NIGHTLY = new Schedule('0 3 * * *', 'UTC');
const at = (text: string): Date => new Date(`2026-${text}Z`);

let others = 0;

function scheduler(schedule = NIGHTLY): Slots {
  others += 1;
  const holder = { token: randomUUID(), host: `host${String(others)}`, process: others };
  return new Slots(database, { ledger: LEDGER, job: 'reconcile' }, schedule, holder);
}

/** One that has been looking since before the slots of the tests. */
async function watching(schedule = NIGHTLY): Promise<Slots> {
  const slots = scheduler(schedule);
  await slots.look(at('11-20T12:00'), null);
  return slots;
}

/** The slot that a look came to, where it is this process's to run. */
function slotOf(look: Look): Slot {
  if (look.kind === 'claimed' || look.kind === 'taken_over') return look.slot;
  throw new Error(`no slot to run: ${JSON.stringify(look)}`);
}

/** The holder of every open slot has died so long ago. */
async function died(ago: string): Promise<void> {
  await db.run(
    `UPDATE trueup.schedule_slots SET heartbeat_at = clock_timestamp() - $1::interval
      WHERE finished_at IS NULL`,
    [ago],
  );
}

function kinds(looks: readonly Look[]): string[] {
  return looks.map(({ kind }) => kind).sort();
}

const FINISHED = { outcome: 'finished', detail: 'exit status 0', runId: null } as const;

beforeEach(async () => {
  await db.run('TRUNCATE trueup.schedule_slots, trueup.runs');
});

describe('a slot that is due', () => {
  test('is taken by one of many, and by nobody before its time', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => watching()));
    await db.run('TRUNCATE trueup.schedule_slots');
    await all[0]?.look(at('11-25T02:59:59.999'), null);
    await db.run(`UPDATE trueup.schedule_slots SET finished_at = now(), outcome = 'finished'`);

    const looks = await Promise.all(all.map((one) => one.look(at('11-25T03:00'), null)));
    expect(kinds(looks)).toEqual(['claimed', ...Array.from({ length: 11 }, () => 'nothing')]);
    const again = await Promise.all(all.map((one) => one.look(at('11-25T03:05'), 'at work')));
    expect(kinds(again)).toEqual(Array.from({ length: 12 }, () => 'nothing'));
    expect(await slotsOf(db)).toEqual(['11-24 03:00 finished', '11-25 03:00 open']);
  });

  test('is recorded with who took it, and how it ended', async () => {
    const one = await watching();
    const slot = slotOf(await one.look(at('11-21T03:00'), null));
    expect(await one.finish(slot, FINISHED)).toBe(true);
    expect(
      await db.rows(
        `SELECT host LIKE 'host%' AS host, outcome, detail, attempts, schedule
           FROM trueup.schedule_slots WHERE due_at = '2026-11-21T03:00Z'`,
      ),
    ).toEqual([
      {
        host: true,
        outcome: 'finished',
        detail: 'exit status 0',
        attempts: 1,
        schedule: '0 3 * * * UTC',
      },
    ]);
    expect((await one.look(at('11-21T04:00'), null)).kind).toBe('nothing');
  });
});

describe('a slot that was missed', () => {
  test('is made up once, and only the latest', async () => {
    const earlier = await watching();
    const slot = slotOf(await earlier.look(at('11-21T03:00'), null));
    await earlier.finish(slot, FINISHED);

    const [one, two] = [scheduler(), scheduler()];
    const looks = await Promise.all([one, two].map((each) => each.look(at('11-24T15:00'), null)));
    expect(kinds(looks)).toEqual(['claimed', 'nothing']);
    expect(await slotsOf(db)).toEqual([
      '11-20 03:00 skipped',
      '11-21 03:00 finished',
      '11-24 03:00 open',
    ]);
  });

  test('is none of a schedule that has just begun', async () => {
    const look = await scheduler().look(at('11-24T15:00'), null);
    expect(look).toMatchObject({
      kind: 'skipped',
      reason: 'it was due before this schedule began',
    });
    // Whoever begins next does not make it up either; the slot after it is run.
    expect((await scheduler().look(at('11-24T16:00'), null)).kind).toBe('nothing');
    expect((await scheduler().look(at('11-25T04:00'), null)).kind).toBe('claimed');
  });

  test('nor of one that was changed', async () => {
    const before = await watching();
    await before.finish(slotOf(await before.look(at('11-24T03:00'), null)), FINISHED);
    const changed = scheduler(new Schedule('0 9 * * *', 'UTC'));
    expect(await changed.look(at('11-24T10:00'), null)).toMatchObject({ kind: 'skipped' });
    expect(await changed.look(at('11-25T09:00'), null)).toMatchObject({ kind: 'claimed' });
  });

  test('is due all the same for a process that was there, and could not look', async () => {
    const one = await watching();
    // The database was away from before three until after four.
    expect((await one.look(at('11-21T04:10'), null)).kind).toBe('claimed');
  });
});

describe('a slot that is due while other work is under way', () => {
  test('is skipped by the process that does it', async () => {
    const one = await watching();
    slotOf(await one.look(at('11-21T03:00'), null));
    const look = await one.look(at('11-22T03:00'), 'its own run is under way');
    expect(look).toMatchObject({ kind: 'skipped', reason: 'its own run is under way' });
    expect(await slotsOf(db)).toContain('11-21 03:00 open');
  });

  test('and by others', async () => {
    const [one, two] = [await watching(), await watching()];
    slotOf(await one.look(at('11-21T03:00'), null));
    const look = await two.look(at('11-22T03:00'), null);
    expect(look).toMatchObject({
      kind: 'skipped',
      reason: expect.stringMatching(
        /^the slot of 2026-11-21 03:00 UTC is still at work on host/,
      ) as string,
    });
    expect(await slotsOf(db)).toEqual([
      '11-20 03:00 skipped',
      '11-21 03:00 open',
      '11-22 03:00 skipped',
    ]);
  });

  test('and while somebody has started a run by hand', async () => {
    const id = await recordRunUnderWay(db);
    const look = await (await watching()).look(at('11-22T03:00'), null);
    expect(look).toMatchObject({
      kind: 'skipped',
      reason: `run ${id} is still under way on elsewhere (process 7)`,
    });
  });

  test('but not while a run is dead', async () => {
    await recordRunUnderWay(db, '31 seconds');
    expect((await (await watching()).look(at('11-22T03:00'), null)).kind).toBe('claimed');
  });
});

describe('a slot whose process has died', () => {
  test('is taken over by one of many, with its run', async () => {
    const dead = await watching();
    slotOf(await dead.look(at('11-21T03:00'), null));
    const runId = randomUUID();
    await db.run('UPDATE trueup.schedule_slots SET run_id = $1', [runId]);
    const all = Array.from({ length: 8 }, () => scheduler());
    const alive = await Promise.all(all.map((one) => one.look(at('11-21T03:00:29'), null)));
    expect(kinds(alive)).toEqual(Array.from({ length: 8 }, () => 'nothing'));

    await died('31 seconds');
    const looks = await Promise.all(all.map((one) => one.look(at('11-21T03:01'), null)));
    expect(kinds(looks)).toEqual([...Array.from({ length: 7 }, () => 'nothing'), 'taken_over']);
    const taken = looks.find(({ kind }) => kind === 'taken_over');
    expect(taken).toMatchObject({ slot: { runId, attempts: 2 } });
    // The dead one was only slow: it finds out that the slot is no longer its own.
    const slot = { dueAt: at('11-21T03:00'), runId, attempts: 1 };
    expect(await dead.beat(slot)).toBe(false);
    expect(await dead.finish(slot, FINISHED)).toBe(false);
    expect(await slotsOf(db)).toContain('11-21 03:00 open');
  });

  test('is closed, and not begun again, where its run has ended', async () => {
    const dead = await watching();
    slotOf(await dead.look(at('11-21T03:00'), null));
    const { runId } = await recordRun(db, { exitStatus: 2 });
    await db.run('UPDATE trueup.schedule_slots SET run_id = $1 WHERE finished_at IS NULL', [runId]);
    await died('1 hour');
    expect((await scheduler().look(at('11-21T04:01'), null)).kind).toBe('nothing');
    expect(await slotsOf(db)).toContain('11-21 03:00 finished');
  });

  test('is given up after five attempts', async () => {
    slotOf(await (await watching()).look(at('11-21T03:00'), null));
    const seen: string[] = [];
    for (let attempt = 2; attempt <= 7; attempt += 1) {
      await died('1 hour');
      seen.push((await scheduler().look(at('11-21T05:00'), null)).kind);
    }
    expect(seen).toEqual([...Array.from({ length: 4 }, () => 'taken_over'), 'given_up', 'nothing']);
    expect(await slotsOf(db)).toContain('11-21 03:00 failed');
  });

  test('is closed as failed when a later one is due', async () => {
    slotOf(await (await watching()).look(at('11-21T03:00'), null));
    await died('1 day');
    expect((await scheduler().look(at('11-22T03:00'), null)).kind).toBe('claimed');
    expect(await slotsOf(db)).toEqual([
      '11-20 03:00 skipped',
      '11-21 03:00 failed',
      '11-22 03:00 open',
    ]);
  });

  test('is free at once where it was given back, or is its own', async () => {
    const one = await watching();
    const slot = slotOf(await one.look(at('11-21T03:00'), null));
    expect(await one.beat(slot)).toBe(true);
    // The database was away, and the run with it: whoever comes back first goes on.
    expect((await one.look(at('11-21T03:01'), null)).kind).toBe('taken_over');
    await one.release(slot);
    expect((await scheduler().look(at('11-21T03:02'), null)).kind).toBe('taken_over');
  });
});
