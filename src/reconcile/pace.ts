/** How large the next batch is, and whether to wait before it. */
export interface Pace {
  /** Wallets of the next batch. */
  size(): number;
  /** A batch of so many wallets is done, and took so long. */
  done(wallets: number, milliseconds: number): void;
  /** Waits while it has to, and says why the run has to end here. */
  beforeNext(signal?: AbortSignal): Promise<'go' | 'stopped' | 'run_time'>;
}

/** Large enough to be as fast as one statement over all, small enough that a batch takes 0.1 s. */
export const DEFAULT_BATCH_SIZE = 10_000;

/** Batches of one size, one after the other. */
export function fixedPace(size = DEFAULT_BATCH_SIZE): Pace {
  return {
    size: () => size,
    done: () => undefined,
    beforeNext: () => Promise.resolve('go'),
  };
}
