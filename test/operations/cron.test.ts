import { describe, expect, test } from 'vitest';
import { Schedule } from '../../src/operations/schedule/cron.js';

/** When something is due: expressions, time zones, and the two nights a year on which clocks change. */

const at = (text: string): Date => new Date(text);

/** The moments from one time to another, as the schedule tells them one after the other. */
function dues(schedule: Schedule, from: string, to: string): string[] {
  const found: string[] = [];
  for (let now = at(from); ;) {
    const next = schedule.nextDue(now);
    if (next === null || next > at(to)) return found;
    found.push(next.toISOString().slice(0, 16));
    now = next;
  }
}

describe('the nights on which clocks change', () => {
  test.each([
    // Clocks go from 02:00 to 03:00: what was due at 02:30 is due when the gap is over.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', ['2026-03-29T01:00', '2026-03-30T00:30']],
    // Clocks go from 03:00 back to 02:00: the first 02:30 only.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
    [
      '30 2 * * *',
      'America/New_York',
      '2026-03-07T12:00Z',
      ['2026-03-08T07:00', '2026-03-09T06:30'],
    ],
    [
      '30 1 * * *',
      'America/New_York',
      '2026-10-31T12:00Z',
      ['2026-11-01T05:30', '2026-11-02T06:30'],
    ],
    // Half an hour only, on the other side of the world.
    [
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00Z',
      ['2026-10-03T15:30', '2026-10-04T15:15'],
    ],
    // At midnight, where that is the hour that is left out.
    ['0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00Z', ['2026-04-23T22:00', '2026-04-24T21:00']],
    // Without any change.
    ['0 3 * * *', 'UTC', '2026-03-28T12:00Z', ['2026-03-29T03:00', '2026-03-30T03:00']],
    ['0 3 * * *', 'Asia/Kolkata', '2026-03-28T12:00Z', ['2026-03-28T21:30', '2026-03-29T21:30']],
  ])('%s in %s', (expression, zone, from, expected) => {
    const schedule = new Schedule(expression, zone);
    expect(dues(schedule, from, `${expected.at(-1) ?? ''}:30Z`)).toEqual(expected);
  });

  test('a schedule of every half hour is due in both of two equal hours, and never in a gap', () => {
    const schedule = new Schedule('*/30 * * * *', 'Europe/Berlin');
    expect(dues(schedule, '2026-10-24T23:59Z', '2026-10-25T02:00Z')).toHaveLength(5);
    expect(dues(schedule, '2026-03-29T00:00Z', '2026-03-29T02:00Z')).toHaveLength(4);
  });
});

describe('the latest slot', () => {
  test('is due from its moment on, and not before', () => {
    const schedule = new Schedule('0 3 * * *', 'UTC');
    const latest = (now: string): string | undefined => schedule.latestDue(at(now))?.toISOString();
    expect(latest('2026-11-25T02:59:59.999Z')).toBe('2026-11-24T03:00:00.000Z');
    expect(latest('2026-11-25T03:00:00.000Z')).toBe('2026-11-25T03:00:00.000Z');
    expect(latest('2026-11-25T03:00:00.001Z')).toBe('2026-11-25T03:00:00.000Z');
    expect(latest('2026-11-26T02:00:00.000Z')).toBe('2026-11-25T03:00:00.000Z');
  });

  test.each([
    ['30 2 * * *', 'Europe/Berlin'],
    ['30 2 * * *', 'America/New_York'],
    ['30 2 * * *', 'Australia/Lord_Howe'],
    ['0 0 * * *', 'Africa/Cairo'],
    ['30 1 * * 0', 'Europe/London'],
    ['0 2,3 1-7 * *', 'Europe/Berlin'],
    ['17 */6 * * 1-5', 'America/Sao_Paulo'],
  ])('looking back finds what looking ahead has found, all year (%s in %s)', (expression, zone) => {
    const schedule = new Schedule(expression, zone);
    let before: Date | null = null;
    let count = 0;
    for (let now = at('2026-01-01T00:00Z'); now < at('2027-01-01T00:00Z'); count += 1) {
      const due: Date | null = schedule.nextDue(now);
      if (due === null) throw new Error('it ended');
      expect(schedule.latestDue(due)).toEqual(due);
      if (before !== null) {
        expect(schedule.latestDue(new Date(due.getTime() - 1))).toEqual(before);
      }
      before = due;
      now = due;
    }
    expect(count).toBeGreaterThan(50);
  });
});

describe('the longest pause around a moment', () => {
  const hours = (expression: string, now: string, zone = 'UTC'): number =>
    (new Schedule(expression, zone).longestPause(at(now)) ?? 0) / 3_600_000;

  test('a day; on a Monday the weekend; a week', () => {
    expect(hours('0 3 * * *', '2026-11-25T12:00Z')).toBe(24);
    expect(hours('0 3 * * 1-5', '2026-11-23T03:01Z')).toBe(72);
    expect(hours('0 3 * * 1-5', '2026-11-24T03:01Z')).toBe(24);
    expect(hours('0 3 * * 1-5', '2026-11-21T12:00Z')).toBe(72);
    expect(hours('0 3 * * 0', '2026-11-25T12:00Z')).toBe(168);
    expect(hours('30 2 * * *', '2026-10-25T12:00Z', 'Europe/Berlin')).toBe(25);
  });
});

describe('what is refused', () => {
  test.each([
    [''],
    ['* * * *'],
    ['* * * * * *'],
    ['61 3 * * *'],
    ['0 24 * * *'],
    ['0 3 32 * *'],
    ['0 3 * 13 *'],
    ['0 3 ? * *'],
    ['0 3 * * nonday'],
    ['2027-01-01T00:00:00'],
    ['@reboot'],
    ['0 3 31 2 *'],
    ['0 3 * * *; rm -rf /'],
  ])('the expression %j', (expression) => {
    expect(() => new Schedule(expression)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });

  test.each([['Mars/Olympus'], [''], ['+02:00'], ['Europe/Berlin; x']])('the zone %j', (zone) => {
    expect(() => new Schedule('0 3 * * *', zone)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });

  test('spaces do not matter, and names are those that people give', () => {
    expect(new Schedule('  0  3 * * * ', 'utc').name).toBe('0 3 * * * UTC');
    expect(new Schedule('@daily').nextDue(at('2026-11-25T12:00Z'))).toEqual(
      at('2026-11-26T00:00Z'),
    );
    expect(new Schedule('0 3 * * MON-FRI').nextDue(at('2026-11-21T12:00Z'))).toEqual(
      at('2026-11-23T03:00Z'),
    );
  });
});
