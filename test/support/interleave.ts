import type pg from 'pg';

/**
 * Runs the steps of several sessions in one given order. A step that waits for a lock of another
 * session stays under way, and its session's later steps move behind those of the others: as it
 * would be with people at the keyboards.
 */
export interface Actor {
  readonly client: pg.Client;
  readonly steps: readonly (() => Promise<unknown>)[];
}

/** Every order in which the steps of sessions with so many steps each can be merged. */
export function orders(lengths: readonly number[]): number[][] {
  if (lengths.every((length) => length === 0)) return [[]];
  return lengths.flatMap((length, actor) =>
    length === 0
      ? []
      : orders(lengths.map((rest, other) => (other === actor ? rest - 1 : rest))).map((order) => [
          actor,
          ...order,
        ]),
  );
}

/** @param observer a connection that takes part in nothing and looks who is waiting */
export async function interleave(
  actors: readonly Actor[],
  order: readonly number[],
  observer: pg.Client,
): Promise<void> {
  const states = actors.map((actor) => ({
    actor,
    next: 0,
    waiting: undefined as Step | undefined,
  }));
  const queue = [...order];
  for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
    const state = states[index];
    if (state === undefined) continue;
    if (state.waiting !== undefined && !(await settles(state.waiting, observer))) {
      queue.push(index);
      continue;
    }
    const step = begin(state.actor, state.next);
    state.next += 1;
    state.waiting = (await settles(step, observer)) ? undefined : step;
  }
  await Promise.all(states.flatMap(({ waiting }) => (waiting === undefined ? [] : [waiting.done])));
}

interface Step {
  readonly pid: number;
  readonly done: Promise<unknown>;
  settled: boolean;
}

function begin(actor: Actor, number: number): Step {
  const pid = (actor.client as pg.Client & { processID: number }).processID;
  const done = actor.steps[number]?.() ?? Promise.resolve();
  const step: Step = { pid, done, settled: false };
  const settle = (): void => {
    step.settled = true;
  };
  done.then(settle, settle);
  return step;
}

/** Waits until a step has ended (true) or waits for another session (false). */
async function settles(step: Step, observer: pg.Client): Promise<boolean> {
  for (;;) {
    if (step.settled) return true;
    const { rows } = await observer.query<{ blocked: boolean }>(
      'SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked',
      [step.pid],
    );
    if (hasSettled(step)) return true;
    if (rows[0]?.blocked === true) return false;
  }
}

/** The flag is set by a callback, which the compiler cannot know. */
function hasSettled(step: Step): boolean {
  return step.settled;
}
