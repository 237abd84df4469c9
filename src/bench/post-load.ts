import { TrueupError } from '../core/errors.js';
import type { Trueup } from '../index.js';
import type { Database, Session } from '../postgres/database.js';
import * as statements from './post-statements.js';
import { numbers } from './measure.js';

const A_BATCH = 1_000;

/** What puts load on Trueup and on its baselines, and takes the time. */

/** A transfer to be made. Wallets are numbered from 1, without a gap. */
export interface Transfer {
  readonly payer: number;
  readonly payee: number;
  readonly coins: number;
  readonly key: string;
}

/** Thinks out the next transfer. */
export type Next = () => Transfer;

/** What was done in a timed round. */
export interface Round {
  readonly perSecond: number;
  /** Of each call in the timed part. */
  readonly milliseconds: readonly number[];
  /** All that were made, those before the time was taken included. */
  readonly postings: number;
  /** By how much the tables grew for each of them. */
  readonly bytesPerPosting: number;
}

/** Keys are used for ever: no two transfers of a process may share one. */
let keys = 0;

/** Transfers between wallets that `pair` names. */
export function transfersOf(pair: () => readonly [number, number], seed: number): Next {
  const random = numbers(seed);
  return () => {
    const [payer, payee] = pair();
    keys += 1;
    return { payer, payee, coins: 1 + random(20), key: `order:${String(keys)}` };
  };
}

/** Two different wallets, each of them with the same probability. */
export function anyTwo(wallets: number, seed: number): () => readonly [number, number] {
  const random = numbers(seed);
  return () => {
    const payer = random(wallets);
    return [1 + payer, 1 + ((payer + 1 + random(wallets - 1)) % wallets)];
  };
}

/** So long everybody works before the time is taken: half a round. */
function warmUp(seconds: number): number {
  return seconds * 500;
}

/**
 * Lets so many callers at a time call again and again; `call` is told the number of the caller. The
 * rate is that between two answers, the last ones before the time was taken and before it was up:
 * answers come in batches, and a round would else have one batch too many or too few.
 */
export async function callers(
  count: number,
  seconds: number,
  call: (caller: number) => Promise<void>,
): Promise<Omit<Round, 'bytesPerPosting'>> {
  const start = performance.now() + warmUp(seconds);
  const end = start + seconds * 1000;
  const milliseconds: number[] = [];
  let postings = 0;
  let from = start;
  let to = start;
  const one = async (caller: number): Promise<void> => {
    for (let before = performance.now(); before < end;) {
      await call(caller);
      postings += 1;
      const now = performance.now();
      if (now < start) from = now;
      else if (now < end) {
        to = now;
        milliseconds.push(now - before);
      }
      before = now;
    }
  };
  await Promise.all(Array.from({ length: count }, (_, caller) => one(caller)));
  return { perSecond: milliseconds.length / ((to - from) / 1000), milliseconds, postings };
}

/**
 * Posts to every wallet once. Trueup remembers the wallets that it posts to, and what is measured is a
 * program that has been running, not its first seconds.
 */
export async function postOnce(trueup: Trueup, wallets: number): Promise<void> {
  for (let from = 1; from <= wallets; from += A_BATCH) {
    const count = Math.min(A_BATCH, wallets - from + 1);
    const ids = Array.from({ length: count }, (_, index) => String(from + index));
    await trueup.post(
      ids.map((walletId) => ({ type: 'credit', walletId, amount: 1n, reason: 'top_up' })),
    );
  }
}

/** Callers of Trueup. */
export function callTrueup(
  trueup: Trueup,
  next: Next,
  options: { readonly callers: number; readonly seconds: number },
): Promise<Omit<Round, 'bytesPerPosting'>> {
  return callers(options.callers, options.seconds, async () => {
    const { payer, payee, coins, key } = next();
    const outcome = await trueup.transfer({
      from: { walletId: String(payer) },
      to: { walletId: String(payee) },
      amount: coins,
      idempotencyKey: key,
    });
    if (outcome.status === 'refused') throw new TrueupError('invalid_argument', outcome.message);
  });
}

/** Callers of the stored function, each with a connection of his own. */
export function callFunction(
  database: Database,
  next: Next,
  options: { readonly callers: number; readonly seconds: number },
): Promise<Omit<Round, 'bytesPerPosting'>> {
  return lendAll(database, options.callers, async (sessions) => {
    for (const session of sessions) await session.query(statements.searchByIndex);
    return callers(options.callers, options.seconds, async (caller) => {
      const { payer, payee, coins, key } = next();
      const answer = await sessions[caller]?.query<{ outcome: string }>(
        statements.callTransfer(payer, payee, coins, key),
      );
      const outcome = answer?.[0]?.outcome ?? '';
      if (!/^\d+$/.test(outcome)) throw new TrueupError('invalid_argument', outcome);
    });
  });
}

async function lendAll<Result>(
  database: Database,
  count: number,
  work: (sessions: readonly Session[]) => Promise<Result>,
): Promise<Result> {
  const sessions: Session[] = [];
  const lend = (): Promise<Result> =>
    sessions.length === count
      ? work(sessions)
      : database.session((session) => {
          sessions.push(session);
          return lend();
        });
  return lend();
}

/** What the bare baseline knows of the wallets, so that it need not ask the database. */
export class BareBook {
  readonly #wallets = new Map<number, { seq: number; balance: number }>();
  #transactions = 0;

  /** Every wallet has the one entry with which it was opened. */
  constructor(wallets: number) {
    for (let wallet = 1; wallet <= wallets; wallet += 1) {
      this.#wallets.set(wallet, { seq: 1, balance: statements.OPENING });
    }
    this.#transactions = wallets;
  }

  /** The rows of so many transfers. */
  batch(transfers: number, next: Next): statements.BareBatch {
    const entries: statements.BareBatch['entries'] = {
      walletIds: [],
      seqs: [],
      amounts: [],
      balances: [],
      transactions: [],
      counterparties: [],
      keys: [],
    };
    const caches = new Map<number, { balance: number; earnings: number }>();
    const add = (walletId: number, counterparty: number, amount: number, key: string | null) => {
      const wallet = this.#wallets.get(walletId) ?? { seq: 0, balance: 0 };
      wallet.seq += 1;
      wallet.balance += amount;
      entries.walletIds.push(walletId);
      entries.seqs.push(wallet.seq);
      entries.amounts.push(amount);
      entries.balances.push(wallet.balance);
      entries.transactions.push(this.#transactions);
      entries.counterparties.push(counterparty);
      entries.keys.push(key);
      const cache = caches.get(walletId) ?? { balance: 0, earnings: 0 };
      caches.set(walletId, cache);
      cache.balance += amount;
      cache.earnings += Math.max(amount, 0);
    };
    for (let index = 0; index < transfers; index += 1) {
      const { payer, payee, coins, key } = next();
      this.#transactions += 1;
      add(payer, payee, -coins, key);
      add(payee, payer, coins, null);
    }
    return { entries, caches };
  }
}

/**
 * Writes batch after batch over one connection. The next batch is made while the last one is under
 * way, and sent as soon as that is answered; all statements of a batch are sent at once.
 */
export function writeBatches(
  database: Database,
  batch: () => statements.BareBatch,
  options: { readonly transfers: number; readonly seconds: number },
): Promise<Omit<Round, 'bytesPerPosting'>> {
  return database.session(async (session) => {
    let ready = statements.writeBare(batch());
    const done = await callers(1, options.seconds, async () => {
      const sent = Promise.all(ready.map((statement) => session.query(statement)));
      ready = statements.writeBare(batch());
      await sent;
    });
    const { perSecond, postings, milliseconds } = done;
    return {
      perSecond: perSecond * options.transfers,
      postings: postings * options.transfers,
      milliseconds,
    };
  });
}

/**
 * Runs one side of a round on tables that were tidied just before, and counts what is in them after
 * it: a figure is of what was written, not of what was answered.
 */
export async function timed(
  database: Database,
  schema: statements.Schema,
  run: () => Promise<Omit<Round, 'bytesPerPosting'>>,
): Promise<Round> {
  for (const statement of statements.tidy(schema)) await database.query(statement);
  const before = await sizeAndLast(database, schema);
  const done = await run();
  const after = await sizeAndLast(database, schema);
  const [count] = await database.query<{ entries: number }>(
    statements.entriesSince(schema, before.last),
  );
  if (count?.entries !== done.postings * 2) {
    throw new TrueupError(
      'invalid_argument',
      `${String(done.postings)} transfers made ${String(count?.entries)} entries`,
    );
  }
  return { ...done, bytesPerPosting: (after.bytes - before.bytes) / done.postings };
}

async function sizeAndLast(
  database: Database,
  schema: statements.Schema,
): Promise<{ bytes: number; last: string }> {
  const [row] = await database.query<{ bytes: number; last: string }>(
    statements.sizeAndLast(schema),
  );
  return row ?? { bytes: 0, last: '0' };
}
