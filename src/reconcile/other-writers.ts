import type { Queryable } from '../postgres/database.js';
import * as statements from './pace-statements.js';

/**
 * Whether others write to the server meanwhile. Every transaction that writes takes the next number, so
 * the numbers that went by tell it, whatever rights this role has, in whichever database they write.
 */
export interface OtherWriters {
  /** The run itself has taken so many numbers, at most. */
  took(transactions: number): void;
  /** Whether others have written since it was last asked. */
  write(): Promise<boolean>;
}

/** What others may write in a second without being taken for somebody at work: transactions. */
const HARDLY_ANY = 10;

/** What a run writes beside its repairs between two questions: checkpoints, and the beats of its lease. */
const UPKEEP = 5;

/**
 * Watches from now on.
 *
 * @param now a clock that never jumps, in milliseconds
 */
export async function watchWriters(
  database: Queryable,
  now: () => number = () => performance.now(),
): Promise<OtherWriters> {
  const look = async (): Promise<{ readonly next: bigint; readonly at: number }> => {
    const [row] = await database.query<{ next: string }>(statements.nextTransaction);
    return { next: BigInt(row?.next ?? '0'), at: now() };
  };
  let before = await look();
  let own = 0;
  return {
    took: (transactions) => {
      own += transactions;
    },
    write: async () => {
      const seen = await look();
      const transactions = Number(seen.next - before.next) - own;
      const seconds = (seen.at - before.at) / 1_000;
      before = seen;
      own = 0;
      return areAtWork(transactions, seconds);
    },
  };
}

/** Whether so many transactions of others in so many seconds are more than a few. Pure. */
export function areAtWork(transactions: number, seconds: number): boolean {
  return transactions > UPKEEP + HARDLY_ANY * seconds;
}
