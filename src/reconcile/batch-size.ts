/** How large batches are: fixed, or as large as a batch may take in time. Pure. */

/** Tells the size of the next batch, from what those before it took. */
export interface BatchSize {
  /** Wallets. */
  next(): number;
  done(wallets: number, milliseconds: number): void;
  /** A batch of so many wallets took too long for the server: smaller ones, until many went well. */
  tooLong(wallets: number): void;
}

/** Wallets of the first batch, before anything is known. */
export const FIRST_BATCH = 10_000;

/** A batch's snapshot holds back vacuum, and who stops a run waits for its batch. Milliseconds. */
export const TARGET_MS = 400;

/** More wallets than this in a batch make the run no faster, and its memory larger. */
export const LARGEST_BATCH = 50_000;

/** How much of what is known counts on when a batch is added: pt-table-checksum's weight. */
const WEIGHT = 0.75;

/** One lucky batch, such as one of empty wallets, must not make the next one a giant. */
const MOST_GROWTH = 2;

/**
 * By how much the largest size grows again with each batch, after the server has refused one: fast enough
 * to forget one wallet with a long history, slow enough to be refused only now and then.
 */
const RECOVERY = 1.05;

/** Batches of one size, unless the server cannot take them. */
export function fixedSize(wallets: number): BatchSize {
  const bound = boundedBy(wallets);
  return { next: bound.most, done: bound.recover, tooLong: bound.halve };
}

/** Batches that take {@link TARGET_MS}: a moving rate in which each batch counts less than the next. */
export function adaptiveSize(): BatchSize {
  const bound = boundedBy(LARGEST_BATCH);
  let size = FIRST_BATCH;
  let wallets = 0;
  let milliseconds = 0;
  return {
    next: () => size,
    done: (more, took) => {
      if (more <= 0) return;
      wallets = wallets * WEIGHT + more;
      milliseconds = milliseconds * WEIGHT + Math.max(took, 1);
      bound.recover();
      const fitting = Math.floor((wallets / milliseconds) * TARGET_MS);
      size = Math.max(1, Math.min(fitting, size * MOST_GROWTH, bound.most()));
    },
    tooLong: (failed) => {
      bound.halve(failed);
      size = Math.min(size, bound.most());
    },
  };
}

/** The most that may be offered: half of what the server has refused, and slowly more again. */
function boundedBy(largest: number): {
  most: () => number;
  recover: () => void;
  halve: (failed: number) => void;
} {
  let most = largest;
  return {
    most: () => most,
    recover: () => {
      most = Math.min(largest, Math.ceil(most * RECOVERY));
    },
    halve: (failed) => {
      most = Math.max(1, Math.floor(Math.min(most, failed) / 2));
    },
  };
}
