import { isConnectionFailure } from '../postgres/failures.js';

/** For how long a run looks for a server that is gone: long enough for a restart or a failover. */
const PATIENCE_MS = 60_000;

const LONGEST_PAUSE_MS = 2_000;

/**
 * Does some work that may be done twice, again and again while there is no way to the database.
 *
 * @param options.signal gives up at once
 * @param options.onLost hears of it each time
 * @throws whatever the work throws otherwise, and the failure of the connection once patience is over
 */
export async function patiently<Result>(
  work: (attempt: number) => Promise<Result>,
  options: { readonly signal?: AbortSignal | undefined; readonly onLost?: () => void } = {},
): Promise<Result> {
  let lostAt: number | undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isConnectionFailure(error) || options.signal?.aborted === true) throw error;
      lostAt ??= performance.now();
      if (performance.now() - lostAt > PATIENCE_MS) throw error;
      options.onLost?.();
      await pause(Math.min(100 * 2 ** attempt, LONGEST_PAUSE_MS));
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
