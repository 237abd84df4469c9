import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  afterRun,
  overdue,
  type RunFacts,
  type Verdict,
} from '../../src/operations/alerts/conditions.js';
import { stoppedBy, summaryOf, type Counts } from './support.js';

/** What people are woken for: facts in, conditions out. */

const NO_FACTS: RunFacts = { incompleteBefore: null, wallets: 0, findings: {} };

function verdict(counts: Counts, facts: Partial<RunFacts> = {}): Verdict {
  return afterRun(summaryOf(counts), { ...NO_FACTS, ...facts });
}

const kinds = ({ open }: Verdict): string[] => open.map(({ kind }) => kind);

function signature(given: Verdict, kind: string): string | undefined {
  return given.open.find((one) => one.kind === kind)?.signature;
}

const some = (count: number, mark: string): { count: number; wallets: number; mark: string } => ({
  count,
  wallets: count,
  mark,
});

describe('a run', () => {
  test('in which all was well opens nothing and closes everything that a run can tell', () => {
    expect(verdict({})).toEqual({
      open: [],
      well: ['drift', 'many_drifted', 'run_failed', 'rail', 'run_incomplete', 'critical', 'review'],
    });
  });

  test.each<readonly [string, Counts, Partial<RunFacts>, readonly string[]]>([
    ['repaired drift', { drifted: 3, findings: 9, repaired: 9 }, {}, ['drift']],
    ['drift that is left', { drifted: 1, findings: 1, exitStatus: 2 }, {}, ['drift']],
    ['1% of users', { drifted: 10, findings: 10, repaired: 10 }, {}, ['drift']],
    ['more', { drifted: 11, findings: 11, repaired: 11 }, {}, ['drift', 'many_drifted']],
    [
      'more of the few that an incremental run looked at',
      { checked: 20, drifted: 11, findings: 11, repaired: 11 },
      { wallets: 5000 },
      ['drift'],
    ],
    ['errors', { errors: 2, exitStatus: 1 }, {}, ['run_failed']],
    [
      'a rail',
      { ...stoppedBy('max_repairs'), drifted: 600, findings: 600 },
      {},
      ['drift', 'many_drifted', 'rail'],
    ],
    ['incomplete once', { incomplete: 'run_time', exitStatus: 3 }, {}, []],
    [
      'incomplete twice',
      { incomplete: 'run_time', exitStatus: 3 },
      { incompleteBefore: 'locked wallets' },
      ['run_incomplete'],
    ],
    [
      'locked wallets twice',
      { skipped: 1, exitStatus: 3 },
      { incompleteBefore: 'interrupted' },
      ['run_incomplete'],
    ],
    ['complete after incomplete', {}, { incompleteBefore: 'interrupted' }, []],
    ['a review', {}, { findings: { review: some(2, 'a') } }, ['review']],
    ['a wallet below zero', {}, { findings: { critical: some(1, 'a') } }, ['critical']],
    ['what is only reported', {}, { findings: { reported: some(1, 'a') } }, []],
  ])('with %s', (_, counts, facts, expected) => {
    expect(kinds(verdict(counts, facts))).toEqual(expected);
  });

  test('that did not look at everything cannot say that nothing drifts', () => {
    expect(verdict({ incomplete: 'interrupted', exitStatus: 3 }).well).toEqual([
      'critical',
      'review',
    ]);
    expect(verdict({ skipped: 1, exitStatus: 3 }).well).not.toContain('drift');
    expect(verdict({ errors: 1, exitStatus: 1 }).well).not.toContain('run_failed');
  });

  test('names the rail that stopped it', () => {
    const { open } = verdict(stoppedBy('600 wallets of 1000 would be repaired'));
    expect(open.find(({ kind }) => kind === 'rail')?.message).toContain('600 wallets of 1000');
  });
});

describe('what is news', () => {
  test('drift that was repaired, every time', () => {
    const repaired = { drifted: 1, findings: 1, repaired: 1 };
    expect(signature(verdict(repaired), 'drift')).not.toBe(signature(verdict(repaired), 'drift'));
  });

  test('drift that is left, when it is another', () => {
    const left = { drifted: 1, findings: 1, exitStatus: 2 } as const;
    const first = signature(verdict(left, { findings: { reported: some(1, '17') } }), 'drift');
    expect(signature(verdict(left, { findings: { reported: some(1, '17') } }), 'drift')).toBe(
      first,
    );
    expect(signature(verdict(left, { findings: { reported: some(1, '18') } }), 'drift')).not.toBe(
      first,
    );
  });

  test('wallets that wait, when they are others', () => {
    const of = (mark: string): unknown =>
      signature(verdict({}, { findings: { review: some(2, mark) } }), 'review');
    expect(of('1')).toBe(of('1'));
    expect(of('1')).not.toBe(of('2'));
  });

  test('a failure, when it has another reason', () => {
    expect(afterFailure('a').open[0]?.signature).toBe(afterFailure('a').open[0]?.signature);
    expect(afterFailure('a').open[0]?.signature).not.toBe(afterFailure('b').open[0]?.signature);
  });
});

describe('what has not happened', () => {
  const HOUR = 3600;
  const DAY = 24 * HOUR;
  const CYCLE = 7 * DAY;
  const facts = { sinceSuccess: HOUR, everSucceeded: true, oldestUnverified: null };

  test.each<readonly [string, Partial<typeof facts>, readonly string[], readonly string[]]>([
    ['26 hours are allowed', { sinceSuccess: 26 * HOUR }, [], ['run_missing']],
    ['a second more is not', { sinceSuccess: 26 * HOUR + 1 }, ['run_missing'], []],
  ])('a nightly run: %s', (_, more, open, well) => {
    const found = overdue({ ...facts, ...more }, DAY, CYCLE);
    expect([kinds(found), found.well]).toEqual([open, well]);
  });

  test('a weekly run is not missed after two days, and none where there is no schedule', () => {
    expect(kinds(overdue({ ...facts, sinceSuccess: 2 * DAY }, 7 * DAY, CYCLE))).toEqual([]);
    expect(overdue({ ...facts, sinceSuccess: 99 * DAY }, null, CYCLE)).toEqual({
      open: [],
      well: [],
    });
  });

  test('the first run is waited for as long as any other', () => {
    const never = { ...facts, everSucceeded: false };
    expect(overdue({ ...never, sinceSuccess: HOUR }, DAY, CYCLE)).toEqual({ open: [], well: [] });
    expect(kinds(overdue({ ...never, sinceSuccess: 27 * HOUR }, DAY, CYCLE))).toEqual([
      'run_missing',
    ]);
  });

  test('wallets that were not verified within the cycle', () => {
    const oldest = (seconds: number): Verdict =>
      overdue({ ...facts, oldestUnverified: seconds }, DAY, CYCLE);
    expect(oldest(CYCLE).well).toContain('unverified');
    expect(kinds(oldest(CYCLE + 3 * HOUR))).toEqual(['unverified']);
  });
});
