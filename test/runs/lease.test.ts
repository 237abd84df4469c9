import { hostname } from 'node:os';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { Drifted } from '../support/drifted.js';
import { build, killPrograms } from '../support/program.js';

/** One run over a ledger at a time: who is refused, who takes over, and who finds out that he has lost. */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
let trueup: Trueup;
let other: Trueup;
beforeAll(async () => {
  build();
  trueup = await db.trueup({ config: drifted.mapping });
  other = await db.trueup({ config: drifted.mapping });
});
beforeEach(async () => {
  await drifted.reset();
  await db.run(`DELETE FROM trueup.runs`);
});
afterEach(async () => {
  await Promise.all(locks.splice(0).map((lock) => lock.query('ROLLBACK')));
  await killPrograms();
});

const locks: pg.Client[] = [];

/** A run that is under way until it is let go: a batch of its own has just been handled. */
async function underWay(by: Trueup = trueup): Promise<{
  readonly id: string;
  readonly go: () => void;
  readonly ended: Promise<unknown>;
}> {
  const lock = await db.connect();
  locks.push(lock);
  await lock.query('BEGIN; SELECT FROM app.wallet WHERE id = 1 FOR UPDATE');
  const ended = by.reconcile({ all: true, batchSize: 4 });
  ended.catch(() => undefined);
  for (let waiting = '0'; waiting === '0';) {
    waiting = await db.value(
      `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
  }
  const id = await db.value(`SELECT id FROM trueup.runs WHERE state = 'running'`);
  return {
    id,
    ended,
    go: () => {
      void lock.query('ROLLBACK');
    },
  };
}

const states = (): Promise<Record<string, unknown>[]> =>
  db.rows(
    `SELECT state, exit_status, finished_at IS NOT NULL AS finished FROM trueup.runs ORDER BY started_at`,
  );

describe('two runs at once', () => {
  test('the second is refused, and told which run, on which host, and how to see it', async () => {
    const first = await underWay();
    const refused = expect(other.reconcile({ all: true })).rejects;
    await refused.toMatchObject({
      code: 'run_under_way',
      message: expect.stringMatching(
        new RegExp(
          `^run ${first.id} is under way .* host ${hostname()}, process ${String(process.pid)},`,
        ),
      ) as string,
      hint: expect.stringContaining(`trueup runs show ${first.id}`) as string,
    });
    await expect(other.reconcile({ resume: true })).rejects.toMatchObject({
      code: 'run_not_resumable',
    });
    first.go();
    expect(await first.ended).toMatchObject({ repaired: 10, incomplete: null });
    expect(await states()).toEqual([{ state: 'finished', exit_status: 1, finished: true }]);
  });

  test('of ten that begin at the same moment one goes on', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 10 }, () => other.reconcile({ all: true, batchSize: 1 })),
    );
    const done = all.filter(({ status }) => status === 'fulfilled');
    const codes = all.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as { code: string }).code] : [],
    );
    expect(done.length).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(codes.length === 0 ? [] : ['run_under_way']));
    expect(await db.value('SELECT count(*)::int FROM trueup.repaired_caches')).toBeGreaterThan(9);
    expect((await states()).every(({ state }) => state === 'finished')).toBe(true);
  });

  test('runs over some users and dry runs go on beside it', async () => {
    const first = await underWay();
    expect(await other.reconcile({ userIds: ['7'] })).toMatchObject({ repaired: 1 });
    expect(await other.reconcile({ all: true, dryRun: true })).toMatchObject({ checked: 12 });
    first.go();
    expect(await first.ended).toMatchObject({ repaired: 9 });
  });
});

describe('a run whose process is dead', () => {
  test('is taken over by the next one at once, and is on record as abandoned', async () => {
    const program = drifted.runElsewhere({ all: true, batchSize: 4 }, 'before_commit:1=kill9');
    expect(await program.ended).toBeNull();
    await drifted.gone();
    expect(await states()).toMatchObject([{ state: 'running', finished: false }]);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ incomplete: null });
    expect(await states()).toMatchObject([
      { state: 'abandoned', finished: true },
      { state: 'finished', finished: true },
    ]);
    expect(await db.value(`SELECT error FROM trueup.runs WHERE state = 'abandoned'`)).toContain(
      'without a word',
    );
  });

  test('also where its session lives on, once it has not beaten for half a minute', async () => {
    const session = await db.connect();
    const pid = (await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]
      ?.pid;
    const insert = `INSERT INTO trueup.runs (id, kind, ledger, options, version, scope, token, backend, heartbeat_at, host, process)
      VALUES (gen_random_uuid(), 'reconcile', '"app"."ledger"', '{}', '0', 'all', gen_random_uuid(), $1, clock_timestamp() - $2::interval, 'there', 7)`;
    await db.run(insert, [pid, '20 s']);
    await expect(trueup.reconcile({ all: true })).rejects.toMatchObject({
      code: 'run_under_way',
      message: expect.stringContaining('on host there, process 7') as string,
    });
    await db.run(`UPDATE trueup.runs SET heartbeat_at = clock_timestamp() - interval '31 s'`);
    expect(await trueup.reconcile({ all: true })).toMatchObject({ incomplete: null });
  });
});

describe('whoever has lost his run', () => {
  test('stops before he saves anything more', async () => {
    const first = await underWay();
    await db.run(`UPDATE trueup.runs SET state = 'abandoned', token = gen_random_uuid()`);
    first.go();
    await expect(first.ended).rejects.toMatchObject({ code: 'run_lost' });
    expect(await states()).toMatchObject([{ state: 'abandoned' }]);
    expect(await db.value('SELECT checkpoint FROM trueup.runs')).toBeNull();
    // What he repaired under lock is right, and whoever goes on counts it once.
    const summary = await other.reconcile({ resume: first.id });
    expect(summary).toMatchObject({ checked: 12, repaired: 10, findings: 19, resumed: 1 });
  });

  test('the holder beats once a second, and its session is on record', async () => {
    const first = await underWay();
    const beat = (): Promise<string> => db.value('SELECT heartbeat_at::text FROM trueup.runs');
    const before = await beat();
    await expect.poll(beat, { timeout: 10_000 }).not.toBe(before);
    expect(
      await db.value(
        `SELECT count(*) FROM trueup.runs JOIN pg_stat_activity AS a ON a.pid = backend
          WHERE a.datname = current_database()`,
      ),
    ).toBe('1');
    first.go();
    await first.ended;
    expect(
      await db.rows('SELECT backend, waiting, watermark IS NOT NULL AS watermark FROM trueup.runs'),
    ).toEqual([{ backend: null, waiting: null, watermark: true }]);
  });

  test('a lease whose connection was ended takes another one', async () => {
    const first = await underWay();
    const pid = (): Promise<string> => db.value('SELECT backend::text FROM trueup.runs');
    const before = await pid();
    await db.run('SELECT pg_terminate_backend($1)', [before]);
    await expect.poll(pid, { timeout: 10_000 }).not.toBe(before);
    first.go();
    expect(await first.ended).toMatchObject({ incomplete: null });
  });
});
