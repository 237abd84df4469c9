/** How large batches are: fixed, or as large as a batch may take in time. Pure. */

/** Tells the size of the next batch, from what those before it took. */
export interface BatchSize {
  /** Wallets. */
  next(): number;
  done(wallets: number, milliseconds: number): void;
  /** A batch of so many wallets took too long for the server: smaller ones from here. */
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

/** Batches of one size, unless the server cannot take them. */
export function fixedSize(wallets: number): BatchSize {
  let size = wallets;
  return {
    next: () => size,
    done: () => undefined,
    tooLong: (failed) => {
      size = half(Math.min(size, failed));
    },
  };
}

/** Batches that take {@link TARGET_MS}: a moving rate in which each batch counts less than the next. */
export function adaptiveSize(): BatchSize {
  let size = FIRST_BATCH;
  let largest = LARGEST_BATCH;
  let wallets = 0;
  let milliseconds = 0;
  return {
    next: () => size,
    done: (more, took) => {
      if (more <= 0) return;
      wallets = wallets * WEIGHT + more;
      milliseconds = milliseconds * WEIGHT + Math.max(took, 1);
      const fitting = Math.floor((wallets / milliseconds) * TARGET_MS);
      size = Math.max(1, Math.min(fitting, size * MOST_GROWTH, largest));
    },
    tooLong: (failed) => {
      // What the server has refused once it is not offered again.
      largest = half(Math.min(largest, failed));
      size = Math.min(size, largest);
    },
  };
}

function half(wallets: number): number {
  return Math.max(1, Math.floor(wallets / 2));
}
