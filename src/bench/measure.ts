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

/** A sequence of numbers that looks random and is the same in every run (Lehmer, MINSTD). */
export function numbers(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
