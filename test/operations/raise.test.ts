import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import {
  raiseAlerts,
  raiseFailure,
  raiseOverdue,
  type RaisedAlert,
} from '../../src/operations/alerts/raise.js';
import { Database } from '../../src/postgres/database.js';
import type { ReconcileSummary } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { LEDGER, recordRun, stoppedBy, type Counts } from './support.js';

/** Alerts are raised once, when there is news, whoever raises them and however often. */

const db = await createDatabase('own');
const database = await Database.open({
  connection: { connectionString: db.url },
  applicationName: 'trueup test',
});
afterAll(() => database.close());

beforeEach(async () => {
  await db.run(`TRUNCATE trueup.alerts, trueup.alert_conditions, trueup.findings, trueup.runs,
                         trueup.schedule_slots, trueup.verified_ranges`);
});

function raise(summary: ReconcileSummary): Promise<readonly RaisedAlert[]> {
  return database.transaction((session) => raiseAlerts(session, LEDGER, summary));
}

/** A night: the run that ended, and what was raised at its end. */
async function night(counts: Counts = {}): Promise<string[]> {
  return told(await raise(await recordRun(db, counts)));
}

const told = (raised: readonly RaisedAlert[]): string[] =>
  raised.map(({ kind, state }) => `${kind} ${state}`).sort();

const LEFT = { drifted: 1, findings: 1, exitStatus: 2 } as const;
const REPAIRED = { drifted: 2, findings: 4, repaired: 4 } as const;

/** A finding that nobody has settled, as every run writes it anew. */
async function finding(state: string, wallet: string): Promise<void> {
  await db.run(
    `WITH seen AS (UPDATE trueup.findings SET settled_at = now() WHERE wallet_id = $3 AND state = $2)
     INSERT INTO trueup.findings (run_id, ledger, wallet_id, state, part, field, cached, expected)
     VALUES (gen_random_uuid(), $1, $3, $2, 'wallet', 'balance', '7', '9')`,
    [LEDGER, state, wallet],
  );
}

describe('night after night', () => {
  test('what is left is told once, and once when it is over', async () => {
    await finding('reported', '5');
    expect(await night(LEFT)).toEqual(['drift open']);
    await finding('reported', '5');
    expect(await night(LEFT)).toEqual([]);
    expect(await night(LEFT)).toEqual([]);
    await finding('reported', '6');
    expect(await night({ ...LEFT, drifted: 2, findings: 2 })).toEqual(['drift open']);
    await db.run('UPDATE trueup.findings SET settled_at = now()');
    expect(await night()).toEqual(['drift recovered']);
    expect(await night()).toEqual([]);
  });

  test('what was repaired is told every time', async () => {
    expect(await night(REPAIRED)).toEqual(['drift open']);
    expect(await night(REPAIRED)).toEqual(['drift open']);
    expect(await night()).toEqual(['drift recovered']);
  });

  test('wallets that wait for people', async () => {
    await finding('review', '5');
    await finding('critical', '6');
    expect(await night()).toEqual(['critical open', 'review open']);
    await finding('review', '5');
    expect(await night()).toEqual([]);
    await finding('review', '7');
    expect(await night()).toEqual(['review open']);
    await db.run(`UPDATE trueup.findings SET settled_at = now() WHERE state = 'review'`);
    expect(await night()).toEqual(['review recovered']);
  });

  test('a rail names its reason, and recovers when a run goes through', async () => {
    const stopped = { ...stoppedBy('600 wallets would be repaired'), drifted: 5 };
    expect(await night(stopped)).toContain('rail open');
    expect(await db.value(`SELECT message FROM trueup.alerts WHERE kind = 'rail'`)).toContain(
      '600 wallets would be repaired',
    );
    expect(await night(stopped)).toEqual([]);
    expect(await night()).toContain('rail recovered');
  });

  test('an incomplete run is told when the one before it was incomplete too', async () => {
    const cut = { incomplete: 'run_time', exitStatus: 3 } as const;
    expect(await night(cut)).toEqual([]);
    expect(await night({ skipped: 1, exitStatus: 3 })).toEqual(['run_incomplete open']);
    expect(await night()).toEqual(['run_incomplete recovered']);
    expect(await night(cut)).toEqual([]);
    expect(await night()).toEqual([]);
  });

  test('a failure, with what it said; the next run that ends well closes it', async () => {
    const failure = { runId: null, message: 'no space left on device' };
    expect(told(await raiseFailure(database, LEDGER, failure))).toEqual(['run_failed open']);
    expect(told(await raiseFailure(database, LEDGER, failure))).toEqual([]);
    expect(await night()).toEqual(['run_failed recovered']);
  });
});

describe('by whomever', () => {
  test('many that raise the same at once raise it once', async () => {
    await finding('critical', '6');
    const summary = await recordRun(db, REPAIRED);
    const raised = await Promise.all(Array.from({ length: 10 }, () => raise(summary)));
    expect(told(raised.flat())).toEqual(['critical open', 'drift open']);
    expect(await db.value('SELECT count(*)::text FROM trueup.alerts')).toBe('2');
  });

  test('a transaction that is rolled back raises nothing', async () => {
    const summary = await recordRun(db, REPAIRED);
    await expect(
      database.transaction(async (session) => {
        await raiseAlerts(session, LEDGER, summary);
        throw new Error('the end of the run failed');
      }),
    ).rejects.toThrow('the end of the run failed');
    expect(await db.value('SELECT count(*)::text FROM trueup.alerts')).toBe('0');
    expect(told(await raise(summary))).toEqual(['drift open']);
  });

  test('another ledger has alerts of its own', async () => {
    await finding('critical', '6');
    await db.run('INSERT INTO trueup.alert_conditions VALUES ($1, $2, $3, $4)', [
      ...['"other"."ledger"', 'drift', '1', 'drift of another ledger'],
    ]);
    expect(await night()).toEqual(['critical open']);
    expect(await db.value('SELECT ledger FROM trueup.alerts')).toBe(LEDGER);
  });

  test('a run over some users raises nothing', async () => {
    const summary = await recordRun(db, REPAIRED, { scope: 'some' });
    expect(await raise(summary)).toEqual([]);
  });
});

describe('what has not happened', () => {
  const DAILY = { every: 86_400, cycle: 7 * 86_400 };
  const look = async (): Promise<string[]> => told(await raiseOverdue(database, LEDGER, DAILY));

  test('a run that is missing is told once, and the next success closes it', async () => {
    await recordRun(db, {}, { ago: '25 hours' });
    await recordRun(db, { exitStatus: 1 }, { ago: '1 hour', state: 'failed' });
    expect(await look()).toEqual([]);
    await db.run(`UPDATE trueup.runs SET finished_at = finished_at - interval '2 hours'`);
    expect(await look()).toEqual(['run_missing open']);
    expect(await look()).toEqual([]);
    await recordRun(db, { exitStatus: 2 });
    expect(await look()).toEqual(['run_missing recovered']);
  });

  test('also where no run has ever succeeded, from the beginning of the schedule on', async () => {
    expect(await look()).toEqual([]);
    await db.run(
      `INSERT INTO trueup.schedule_slots (ledger, job, due_at, claimed_at, host, process)
       VALUES ($1, 'reconcile', now(), now() - interval '27 hours', 'x', 1)`,
      [LEDGER],
    );
    expect(await look()).toEqual(['run_missing open']);
  });

  test('wallets that nobody has verified for longer than the cycle', async () => {
    await db.run(
      `INSERT INTO trueup.verified_ranges (ledger, above, up_to, wallets, coins, verified_at, run_id)
       VALUES ($1, NULL, '9', 9, 1, now(), gen_random_uuid()),
              ($1, '9', NULL, 9, 1, now() - interval '8 days', gen_random_uuid())`,
      [LEDGER],
    );
    expect(await look()).toEqual(['unverified open']);
    await db.run('UPDATE trueup.verified_ranges SET verified_at = now()');
    expect(await look()).toEqual(['unverified recovered']);
  });
});
