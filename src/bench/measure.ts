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

/**
 * Lets so many clients, each with a connection of its own, call `work` again and again.
 *
 * @param run.client counts from 0, `run.call` too
 */
export async function clients(
  database: Database,
  options: { readonly clients: number; readonly seconds: number },
  work: (session: Session, run: { client: number; call: number }) => Promise<unknown>,
): Promise<Throughput> {
  const milliseconds: number[] = [];
  const started = performance.now();
  const deadline = started + options.seconds * 1000;
  const one = (client: number): Promise<void> =>
    database.session(async (session) => {
      for (let call = 0; performance.now() < deadline; call += 1) {
        const before = performance.now();
        await work(session, { client, call });
        milliseconds.push(performance.now() - before);
      }
    });
  await Promise.all(Array.from({ length: options.clients }, (_, client) => one(client)));
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
