import { describe, expect, test } from 'vitest';
import type { Busyness } from '../../src/reconcile/pace-statements.js';
import type { PaceOptions } from '../../src/reconcile/pace-options.js';
import { paceOf, tooBusy, type Steering } from '../../src/reconcile/pace.js';
import type { Queryable } from '../../src/postgres/database.js';

/** When a run waits, and why. The server and what the run is told are played; the waiting is real. */

const QUIET: Busyness = { visible: true, lag: 0, active: 0 };

/** A server whose answers to "how busy are you" come from a list; the last one stays. */
function serverThatSays(...answers: Busyness[]): Queryable {
  return {
    query: <Row extends object>(): Promise<readonly Row[]> => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return Promise.resolve(answer === undefined ? [] : [answer as unknown as Row]);
    },
  };
}

/** A lease that is told one thing after the other, whenever it has said why it waits. */
function steering(...told: Steering['told'][]): Steering & { readonly said: (string | null)[] } {
  const said: (string | null)[] = [];
  return {
    said,
    get told() {
      return told[0] ?? 'run';
    },
    tell: (waiting) => {
      said.push(waiting);
      told.shift();
      return Promise.resolve();
    },
  };
}

function pace(
  options: PaceOptions,
  parts: { server?: Queryable; lease?: Steering; now?: () => number } = {},
): { pace: ReturnType<typeof paceOf>; reasons: (string | null)[] } {
  const reasons: (string | null)[] = [];
  const { server = serverThatSays(QUIET), ...rest } = parts;
  return {
    reasons,
    pace: paceOf(options, {
      database: server,
      onPause: ({ reason }) => reasons.push(reason),
      ...rest,
    }),
  };
}

describe('a run goes on at once', () => {
  test('where nothing is asked of its pace', async () => {
    const { pace: run, reasons } = pace({});
    expect(await run.beforeNext()).toBe('go');
    expect(reasons).toEqual([]);
  });

  test('where standbys and other sessions are within what is allowed', async () => {
    const server = serverThatSays({ visible: true, lag: 2, active: 20 });
    const { pace: run, reasons } = pace({ maxLag: 2, maxLoad: 20 }, { server });
    expect(await run.beforeNext()).toBe('go');
    expect(reasons).toEqual([]);
  });

  test('where it is interrupted, however busy the server is', async () => {
    const server = serverThatSays({ visible: true, lag: 99, active: 0 });
    const { pace: run } = pace({ maxLag: 1 }, { server });
    expect(await run.beforeNext(AbortSignal.abort())).toBe('go');
  });
});

describe('a run waits', () => {
  test('for a standby, says so once, and says when it goes on', async () => {
    const behind: Busyness = { visible: true, lag: 3.14, active: 0 };
    const server = serverThatSays(behind, { ...behind, lag: 2.5 }, QUIET);
    const lease = steering();
    const { pace: run, reasons } = pace({ maxLag: 2 }, { server, lease });
    expect(await run.beforeNext()).toBe('go');
    expect(reasons).toEqual(['a standby is 3.1 s behind (at most 2)', null]);
    expect(lease.said).toEqual(reasons);
  });

  test('for sessions of others', async () => {
    const server = serverThatSays({ visible: true, lag: 0, active: 21 }, QUIET);
    const { pace: run, reasons } = pace({ maxLoad: 20 }, { server });
    expect(await run.beforeNext()).toBe('go');
    expect(reasons).toEqual(['21 other sessions are at work (at most 20)', null]);
  });

  test('while it is told to, and ends where it is then told to stop', async () => {
    const lease = steering('pause', 'stop');
    const { pace: run, reasons } = pace({}, { lease });
    expect(await run.beforeNext()).toBe('stopped');
    expect(reasons).toEqual(['paused: trueup runs resume lets it go on']);
  });

  test('until a signal ends the waiting', async () => {
    const server = serverThatSays({ visible: true, lag: 99, active: 0 });
    const controller = new AbortController();
    const run = paceOf(
      { maxLag: 1 },
      {
        database: server,
        onPause: ({ reason }) => {
          if (reason !== null) controller.abort();
        },
      },
    );
    expect(await run.beforeNext(controller.signal)).toBe('go');
  });
});

describe('a run ends', () => {
  test('when it is told to stop', async () => {
    const { pace: run } = pace({}, { lease: steering('stop') });
    expect(await run.beforeNext()).toBe('stopped');
  });

  test('when its time is over, and not a moment before', async () => {
    let now = 5_000;
    const { pace: run } = pace({ runTime: 60 }, { now: () => now });
    now += 59_999;
    expect(await run.beforeNext()).toBe('go');
    now += 1;
    expect(await run.beforeNext()).toBe('run_time');
  });
});

test('a nice run rests for as long as it was asked to, in proportion to its work', async () => {
  const rested = async (nice: number): Promise<number> => {
    const { pace: run } = pace({ nice });
    run.done(100, 60);
    const began = performance.now();
    await run.beforeNext();
    return performance.now() - began;
  };
  expect(await rested(2)).toBeGreaterThanOrEqual(118);
  const { pace: run } = pace({ nice: 1_000_000 }, { lease: steering('stop') });
  run.done(100, 60_000);
  expect(await run.beforeNext()).toBe('stopped');
});

test('a role that is not shown how busy the server is learns so', () => {
  const hidden = { visible: false, lag: 0, active: 0 };
  expect(() => tooBusy(hidden, { maxLag: 1 })).toThrow(
    expect.objectContaining({ code: 'permission_denied' }) as Error,
  );
});
