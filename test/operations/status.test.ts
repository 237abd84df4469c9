import { beforeEach, describe, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import {
  COUNTS,
  forget,
  insertFinding,
  insertRun,
  type FindingFixture,
  type RunFixture,
} from './records.js';

/** What is amiss with a ledger, and the exit status that follows. */

const db = await createDatabase('own');
const trueup = await db.trueup({ readOnly: true });
beforeEach(() => forget(db));

const HOURS = 3_600;

interface Case {
  readonly runs: readonly RunFixture[];
  readonly findings?: readonly Omit<FindingFixture, 'runId'>[];
  readonly maxAge?: number;
  readonly status: number;
  readonly says: RegExp | null;
}

const failed: RunFixture = {
  ...{ state: 'failed', exitStatus: 1, counts: null, error: 'the disk is full' },
  finishedAge: 60,
};
const stopped: RunFixture = {
  ...{ state: 'stopped', exitStatus: 4, error: '900 wallets of 1000 drift' },
  finishedAge: 60,
};
const interrupted: RunFixture = { state: 'interrupted', exitStatus: 3, finishedAge: 60 };
const skipping: RunFixture = {
  exitStatus: 3,
  counts: { ...COUNTS, skipped: 2, exitStatus: 3 },
  finishedAge: 60,
};
const dead: RunFixture = {
  ...{ state: 'running', exitStatus: null, counts: null, startedAge: 500 },
  ...{ finishedAge: null, heartbeatAge: 31 },
};
const fine: RunFixture = {};

const CASES: Readonly<Record<string, Case>> = {
  'all is well': { runs: [fine], status: 0, says: null },
  'nothing was ever checked': { runs: [], status: 3, says: /^no complete check is on record$/ },
  'a run of some users is no check': {
    runs: [{ scope: 'some', options: { userIds: ['1'] } }],
    status: 3,
    says: /^no complete check/,
  },
  'a run as Trueup recorded it before there were scopes is one': {
    runs: [{ scope: 'some', options: { all: true } }],
    status: 0,
    says: null,
  },
  'an incremental run is one': { runs: [{ scope: 'incremental' }], status: 0, says: null },
  'the run of another ledger is none': {
    runs: [{ ledger: '"app"."ledger"' }],
    status: 3,
    says: /^no complete check/,
  },
  'a pass of the healer is none': { runs: [{ kind: 'heal' }], status: 3, says: /^no complete/ },
  'the last run failed': { runs: [fine, failed], status: 1, says: /failed: the disk is full$/ },
  'the last run was refused a repair': {
    runs: [{ exitStatus: 1, counts: { ...COUNTS, errors: 2 } }],
    status: 1,
    says: /refused the repair of 2 wallets/,
  },
  'a failure is over after a good run': {
    runs: [failed, { finishedAge: 10 }],
    status: 0,
    says: null,
  },
  'a rail stopped it': { runs: [fine, stopped], status: 4, says: /rail .* 900 wallets of 1000/ },
  interrupted: { runs: [fine, interrupted], status: 3, says: /was interrupted/ },
  'skipped wallets': { runs: [fine, skipping], status: 3, says: /skipped 2 wallets that others/ },
  'a limit': {
    runs: [fine, { exitStatus: 3, counts: { ...COUNTS, incomplete: 'limit' }, finishedAge: 60 }],
    status: 3,
    says: /did not look at every wallet \(limit\)/,
  },
  'its process is gone': { runs: [fine, dead], status: 3, says: /its process is gone/ },
  'its session is gone': {
    runs: [fine, { ...dead, heartbeatAge: 1, backend: 2_000_000_000 }],
    status: 3,
    says: /its process is gone/,
  },
  'the last success is too old': {
    runs: [{ startedAge: 27.5 * HOURS, finishedAge: 27 * HOURS }],
    status: 3,
    says: /^the last complete check is 27 hours old, more than 26 hours$/,
  },
  'not for who allows more': {
    runs: [{ startedAge: 27.5 * HOURS, finishedAge: 27 * HOURS }],
    maxAge: 28 * HOURS,
    status: 0,
    says: null,
  },
  'and a failed run is no success': {
    runs: [{ startedAge: 27.5 * HOURS, finishedAge: 27 * HOURS }, failed],
    status: 1,
    says: /the last run failed/,
  },
  'a run that left drift looked at everything': {
    runs: [{ exitStatus: 2, counts: { ...COUNTS, findings: 6 } }],
    findings: [{}, {}],
    status: 2,
    says: /^2 findings could not be repaired$/,
  },
  'settled findings are over': {
    runs: [{ exitStatus: 2, counts: { ...COUNTS, findings: 5 } }],
    findings: [{ settled: true }],
    status: 0,
    says: null,
  },
  'what a run left before findings were kept': {
    runs: [{ exitStatus: 2, counts: { ...COUNTS, findings: 5 } }],
    status: 2,
    says: /^the last run left 1 finding unrepaired$/,
  },
  'the finding of another ledger': {
    runs: [fine],
    findings: [{ ledger: '"app"."ledger"' }],
    status: 0,
    says: null,
  },
  review: {
    runs: [{ exitStatus: 2, counts: { ...COUNTS, findings: 6 } }],
    findings: [
      { state: 'review', delta: '-12000' },
      { state: 'review', delta: '0.5' },
    ],
    status: 2,
    says: /^waiting for approval by a person: 2 findings of 12,000.5 coins in all$/,
  },
  critical: {
    runs: [fine],
    findings: [{ state: 'critical' }],
    status: 2,
    says: /^CRITICAL: 1 wallet with entries/,
  },
  'failure before rail before drift before incomplete': {
    runs: [{ ...fine, finishedAge: 40 * HOURS, startedAge: 41 * HOURS }, failed],
    findings: [{}],
    status: 1,
    says: /the last run failed/,
  },
  'rail before drift': { runs: [fine, stopped], findings: [{}], status: 4, says: /rail/ },
  'drift before incomplete': {
    runs: [fine, interrupted],
    findings: [{}],
    status: 2,
    says: /could not be repaired/,
  },
};

test.each(Object.entries(CASES))('%s', async (_, { runs, findings = [], ...wanted }) => {
  let last = '';
  for (const run of runs) last = await insertRun(db, run);
  for (const finding of findings) await insertFinding(db, { runId: last, ...finding });
  const status = await trueup.status({ maxAge: wanted.maxAge });
  expect(status.exitStatus).toBe(wanted.status);
  if (wanted.says === null) expect(status.problems).toEqual([]);
  else expect(status.problems[0]?.what).toMatch(wanted.says);
});

/** What a status of these findings, of one run or two, says is to be done. */
const remedies = async (...findings: Partial<FindingFixture>[]): Promise<(string | null)[]> =>
  (await statusOf(...findings)).problems.map(({ remedy }) => remedy);

async function statusOf(...findings: Partial<FindingFixture>[]) {
  const runId = await insertRun(db);
  for (const finding of findings) await insertFinding(db, { runId, ...finding });
  return trueup.status();
}

describe('what explains it', () => {
  test('is the story of the wallet where it is one', async () => {
    const one = { walletId: `it's 7` };
    expect(await remedies(one, { ...one, part: 'profile' })).toEqual([
      `trueup explain --wallet-id 'it'\\''s 7'`,
    ]);
  });

  test('is the run that lists them where they are several, or no wallet', async () => {
    const older = await insertRun(db, { finishedAge: 7_000 });
    await insertFinding(db, { runId: older, state: 'critical', walletId: '3' });
    const status = await statusOf(
      { state: 'critical', walletId: '1' },
      { state: 'reported', walletId: null },
    );
    const newer = status.lastRun?.runId ?? '';
    const list = `trueup runs show ${newer}, then trueup explain --wallet-id ID`;
    expect(status.problems.map(({ remedy }) => remedy)).toEqual([list, list]);
  });
});

test('options that cannot be meant are refused', async () => {
  for (const wrong of [{ maxAge: 0 }, { maxAge: 1.5 }, { maxage: 5 }, { cycle: '7d' }, 5]) {
    await expect(trueup.status(wrong as object)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(trueup.metrics(wrong as object)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  }
});
