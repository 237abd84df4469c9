import { Writable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { Meter } from '../../src/cli/meter.js';
import { waitingLines } from '../../src/cli/output.js';
import { progressView, type ProgressStream } from '../../src/cli/progress.js';

/** What is told of a run under way: how fast it is, how long it takes still, and why it waits. */

describe('a meter', () => {
  test('counts only the time at work', () => {
    const meter = new Meter(1_000);
    meter.pause(3_000);
    meter.pause(9_000);
    meter.goOn(50_000);
    meter.goOn(51_000);
    expect(meter.rate(400, 52_000)).toBe(100);
  });

  test.each([
    ['in the middle', { looked: 500, checked: 500, total: 1_500 }, 20],
    ['of a resumed run', { looked: 500, checked: 1_000, total: 1_500 }, 10],
    ['at the end', { looked: 500, checked: 500, total: 500 }, 0],
    ['before one part in a hundred', { looked: 9, checked: 9, total: 1_000 }, undefined],
    ['before the first batch', { looked: 0, checked: 600, total: 1_000 }, undefined],
    ['beyond the end', { looked: 501, checked: 501, total: 500 }, undefined],
  ])('says what is left %s', (_, run, seconds) => {
    expect(new Meter(0).left(run, 10_000)).toBe(seconds);
  });

  test('says nothing while the run waits', () => {
    const meter = new Meter(0);
    meter.pause(10_000);
    expect(meter.left({ looked: 500, checked: 500, total: 1_000 }, 20_000)).toBeUndefined();
    meter.goOn(20_000);
    expect(meter.left({ looked: 500, checked: 500, total: 1_000 }, 20_000)).toBe(10);
  });
});

test('a reason is said once, but what a person tells a run each time', () => {
  const line = waitingLines();
  const lag = { kind: 'lag', reason: 'a standby is 3.1 s behind' } as const;
  const on = { kind: null, reason: null } as const;
  const told = { kind: 'told', reason: 'paused' } as const;
  const load = { kind: 'load', reason: '9 other sessions' } as const;
  expect([lag, on, { ...lag, reason: 'another' }, load, told, on, told].map(line)).toEqual([
    ...['waiting: a standby is 3.1 s behind', undefined, undefined],
    ...['waiting: 9 other sessions', 'waiting: paused', undefined, 'waiting: paused'],
  ]);
});

/** A terminal that keeps the last line that was drawn. */
function terminal(): { stream: ProgressStream; line: () => string } {
  let line = '';
  const stream = Object.assign(
    new Writable({
      write: (chunk: Buffer, _, done) => {
        if (chunk.toString().includes('wallets')) line = chunk.toString();
        done();
      },
    }),
    { isTTY: true, columns: 200 },
  );
  return { stream: stream as unknown as ProgressStream, line: () => line };
}

test('the bar says why a run waits, in place of the time that is left', async () => {
  const { stream, line } = terminal();
  const view = progressView(stream, { verbose: false, quiet: false });
  view.update({ checked: 50, total: 100, drifted: 1, repaired: 1 });
  await vi.waitFor(() => {
    expect(line()).toMatch(/50\/100 wallets .* 0:\d\d left/);
  });
  view.pause('a standby is 3.1 s behind');
  await vi.waitFor(() => {
    expect(line()).toContain('waiting: a standby is 3.1 s behind');
  });
  expect(line()).not.toContain('left');
  view.pause(null);
  await vi.waitFor(() => {
    expect(line()).toContain('left');
  });
  view.finish();
});
