import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ReconcileOptions, Trueup } from '../../src/index.js';
import { FAILPOINTS, type Failpoint } from '../../src/reconcile/failpoints.js';
import { createDatabase } from '../support/database.js';
import { countsOf, Drifted } from '../support/drifted.js';
import { build, killPrograms } from '../support/program.js';

/**
 * kill -9 at every stage of every batch, and a resumed run: it ends as one that nobody disturbed, with the
 * same totals and the same records, and every cache that changed has exactly one repair.
 */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
let trueup: Trueup;
beforeAll(async () => {
  build();
  trueup = await db.trueup({ config: drifted.mapping });
});
afterEach(killPrograms);

/**
 * In how many batches each does its work, and which of them repair. Over all there are four batches of
 * wallets and three of profiles; with rails three of suspects between them.
 */
const MODES: Readonly<
  Record<string, { options: ReconcileOptions; repairing: number[]; last: number }>
> = {
  'repairing at once': {
    options: { all: true, batchSize: 4 },
    repairing: [0, 1, 2],
    last: 6,
  },
  'with two jobs': {
    options: { all: true, batchSize: 4, jobs: 2 },
    repairing: [1, 2],
    last: 2,
  },
  'behind rails': {
    options: { all: true, batchSize: 4, maxRepairs: 12 },
    repairing: [4, 5, 6],
    last: 9,
  },
  'some users': {
    options: { userIds: ['1', '3', '4', '7', '8', '9', '12'], batchSize: 3 },
    repairing: [0, 1],
    last: 2,
  },
};

const UNDER_LOCK: readonly Failpoint[] = [
  'after_lock',
  'after_update',
  'before_commit',
  'after_commit',
];

interface Undisturbed {
  readonly counts: object;
  readonly exitStatus: number;
  readonly caches: string;
  readonly records: object;
}

async function undisturbed(options: ReconcileOptions): Promise<Undisturbed> {
  await drifted.reset();
  const summary = await trueup.reconcile(options);
  return {
    counts: countsOf(summary),
    exitStatus: summary.exitStatus,
    caches: await drifted.caches(),
    records: await drifted.records(summary.runId),
  };
}

test('an undisturbed run finds every fault once', async () => {
  const { counts, exitStatus, records } = await undisturbed({ all: true, batchSize: 4 });
  expect({ counts, exitStatus }).toMatchInlineSnapshot(`
    {
      "counts": {
        "balanceDrifts": 10,
        "checked": 12,
        "critical": 0,
        "drifted": 11,
        "earningsDrifts": 5,
        "errors": 1,
        "findings": 19,
        "repaired": 10,
        "review": 0,
        "skipped": 0,
      },
      "exitStatus": 1,
    }
  `);
  expect(records).toMatchInlineSnapshot(`
    {
      "findings": [
        "failed 8 108",
        "reported 10 110 profile balance 90 profile_missing",
        "reported 10 110 profile lifetimeEarnings 100 profile_missing",
        "reported 11 111 profile balance 99 profile_missing",
        "reported 11 111 profile lifetimeEarnings 110 profile_missing",
        "reported 113 profile balance 5 0 -5 no_history",
        "reported 6 106 wallet balance 50 0 -50 no_history",
        "reported 8 108 wallet balance 0 72 72 unknown",
        "reported 9 109 wallet balanceAfter 1 81 80 ledger_changed",
        "reported 99 wallet balance 5 wallet_missing",
      ],
      "repairs": [
        "1 wallet balance 16 9 -7 unknown",
        "10 wallet balance 97 90 -7 unknown",
        "3 profile balance 24 27 3 unknown",
        "3 profile lifetimeEarnings 32 30 -2 unknown",
        "4 profile balance 0 36 36 entry_missed",
        "4 profile lifetimeEarnings 0 40 40 entry_missed",
        "4 wallet balance 0 36 36 entry_missed",
        "4 wallet lifetimeEarnings 0 40 40 entry_missed",
        "7 wallet lifetimeEarnings 71 70 -1 unknown",
        "9 wallet balance 88 81 -7 unknown",
      ],
    }
  `);
});

describe.each(Object.entries(MODES))('%s', (_, { options, repairing, last }) => {
  let expected: Undisturbed;
  beforeAll(async () => {
    expected = await undisturbed(options);
  });

  const points = FAILPOINTS.flatMap((stage) =>
    UNDER_LOCK.includes(stage)
      ? repairing.map((batch) => `${stage}:${String(batch)}`)
      : Array.from({ length: last + 1 }, (_, batch) => `${stage}:${String(batch)}`),
  );
  test.each(points)('killed %s', async (point) => {
    await drifted.reset();
    const ledger = await drifted.ledger();
    const program = drifted.runElsewhere(options, `${point}=kill9`);
    expect([await program.ended, program.complaints, program.lines()]).toEqual([null, '', []]);
    await drifted.gone();

    const summary = await trueup.reconcile({ resume: true, batchSize: options.batchSize });
    expect(summary).toMatchObject({ resumed: 1, incomplete: null });
    expect({
      counts: countsOf(summary),
      exitStatus: summary.exitStatus,
      caches: await drifted.caches(),
      records: await drifted.records(summary.runId),
    }).toEqual(expected);
    expect(await drifted.ledger()).toBe(ledger);
  });
});

test('killed again and again, at every batch', async () => {
  const options = { all: true, batchSize: 4 };
  const expected = await undisturbed(options);
  await drifted.reset();
  const begun = drifted.runElsewhere(options, 'after_commit:0=kill9');
  expect(await begun.ended).toBeNull();
  for (let batch = 0; batch < 5; batch += 1) {
    await drifted.gone();
    const program = drifted.runElsewhere(
      { resume: true, batchSize: 4 },
      'before_checkpoint:1=kill9',
    );
    expect(await program.ended).toBeNull();
  }
  await drifted.gone();
  const summary = await trueup.reconcile({ resume: true });
  expect(summary.resumed).toBe(6);
  expect(countsOf(summary)).toEqual(expected.counts);
  expect(await drifted.records(summary.runId)).toEqual(expected.records);
  expect(await drifted.caches()).toBe(expected.caches);
});
