import type { OnEvent } from '../index.js';

/** Exit statuses of a process that a signal ended, as shells count them. */
const ENDED_BY = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * For a long-running process: the first SIGINT or SIGTERM asks it to stop, the second ends it at once, and
 * SIGHUP changes nothing, so that it outlives the terminal it was started from.
 *
 * @returns the signal, and what takes the handlers away again
 */
export function stopSignal(tell: OnEvent): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onStop = (name: keyof typeof ENDED_BY): void => {
    if (controller.signal.aborted) process.exit(ENDED_BY[name]);
    const message = `${name}: finishing what is under way; once more stops at once`;
    tell({ event: 'stopping', level: 'info', message });
    controller.abort();
  };
  const onHangUp = (): void => {
    const message = 'SIGHUP changes nothing: stop it and start it again for other options';
    tell({ event: 'signal', level: 'info', message });
  };
  process.on('SIGINT', onStop);
  process.on('SIGTERM', onStop);
  process.on('SIGHUP', onHangUp);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onStop);
      process.off('SIGTERM', onStop);
      process.off('SIGHUP', onHangUp);
    },
  };
}
