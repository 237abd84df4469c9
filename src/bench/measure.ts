import type { Database, Session } from '../postgres/database.js';

/** Seconds that some work takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** What a number of clients got done together. */
export interface Throughput {
  readonly perSecond: number;
  /** Of each call. */
  readonly milliseconds: readonly number[];
}

/** Calls that every client makes before the time is taken. */
const WARM_UP_CALLS = 10;

/** Lets so many clients, each with a connection of its own, call `work` again and again. */
export async function clients(
  database: Database,
  options: { readonly clients: number; readonly seconds: number },
  work: (session: Session) => Promise<unknown>,
): Promise<Throughput> {
  const milliseconds: number[] = [];
  let started = 0;
  let ready = 0;
  let start: () => void = () => undefined;
  const everybodyIsReady = new Promise<void>((resolve) => {
    start = resolve;
  });
  const one = (): Promise<void> =>
    database.session(async (session) => {
      // What a connection does once (connecting, planning, compiling) is not what is measured.
      for (let call = 0; call < WARM_UP_CALLS; call += 1) await work(session);
      ready += 1;
      if (ready === options.clients) {
        started = performance.now();
        start();
      }
      await everybodyIsReady;
      for (let now = started; now < started + options.seconds * 1000;) {
        await work(session);
        const before = now;
        now = performance.now();
        milliseconds.push(now - before);
      }
    });
  await Promise.all(Array.from({ length: options.clients }, one));
  const perSecond = (milliseconds.length / (performance.now() - started)) * 1000;
  return { perSecond, milliseconds };
}

/**
 * Lets so many clients call `work` at a steady rate together. A client that is late goes on at once,
 * until it has caught up.
 *
 * @returns the calls a second that were reached
 */
export async function paced(
  database: Database,
  options: { readonly clients: number; readonly seconds: number; readonly perSecond: number },
  work: (session: Session) => Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  const interval = (1000 * options.clients) / options.perSecond;
  let calls = 0;
  const one = (client: number): Promise<void> =>
    database.session(async (session) => {
      const end = started + options.seconds * 1000;
      let due = started + (interval * client) / options.clients;
      for (; due < end; due += interval) {
        const early = due - performance.now();
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        await work(session);
        calls += 1;
      }
    });
  await Promise.all(Array.from({ length: options.clients }, (_, client) => one(client)));
  return (calls / (performance.now() - started)) * 1000;
}

/**
 * Lets so many clients call `work` at a steady rate together, for as long as `meanwhile` takes. A call
 * is timed from when it was due: whoever is late because the one before took long has waited, too.
 *
 * @returns the milliseconds of every call
 */
export async function steadily(
  database: Database,
  options: {
    readonly clients: number;
    readonly perSecond: number;
    readonly meanwhile: () => Promise<void>;
  },
  work: (session: Session) => Promise<unknown>,
): Promise<readonly number[]> {
  const milliseconds: number[] = [];
  const interval = (1000 * options.clients) / options.perSecond;
  let over = false;
  const one = (client: number): Promise<void> =>
    database.session(async (session) => {
      await work(session); // What a connection does once is not what is measured.
      let due = performance.now() + (interval * client) / options.clients;
      for (; !over; due += interval) {
        const early = due - performance.now();
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        await work(session);
        milliseconds.push(performance.now() - due);
      }
    });
  const everybody = Promise.all(
    Array.from({ length: options.clients }, (_, client) => one(client)),
  );
  everybody.catch(() => undefined); // Whoever waits for it below is told.
  try {
    await options.meanwhile();
  } finally {
    over = true;
    await everybody;
  }
  return milliseconds;
}

/** A sequence of numbers that looks random and is the same in every run (Lehmer, MINSTD). */
export function numbers(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
