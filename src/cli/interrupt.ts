import { messageOf } from '../core/errors.js';
import { EXIT, type ExitStatus } from '../index.js';
import { say } from './shared.js';

/** Exit statuses of a process that a signal ended, as shells count them. */
const ENDED_BY = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an AbortSignal, and lets the second end the process. A
 * reader of the output that goes away (`| head`) aborts too, without a word.
 *
 * @returns the signal, and what takes the handlers away again
 */
export function interruptible(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = (name: keyof typeof ENDED_BY): void => {
    if (controller.signal.aborted) process.exit(ENDED_BY[name]);
    say(`\n${name}: stopping after this batch; once more stops at once`);
    controller.abort();
  };
  const onOutputError = (): void => {
    controller.abort();
  };
  const names = Object.keys(ENDED_BY) as (keyof typeof ENDED_BY)[];
  for (const name of names) process.on(name, onSignal);
  process.stdout.on('error', onOutputError);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, onSignal);
      process.stdout.off('error', onOutputError);
    },
  };
}

/**
 * Watches the output of the whole program. A reader that goes away (`| head`) is no error; output
 * that cannot be written (a full disk) is one.
 *
 * @returns the exit status, given the one the command ended with
 */
export function guardOutput(): (status: ExitStatus) => ExitStatus {
  let failed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || failed) return;
    failed = true;
    process.exitCode = EXIT.error; // It may fail after the command has ended, at the last flush.
    say(`trueup: the output cannot be written: ${messageOf(error)}`);
  });
  return (status) => (failed ? EXIT.error : status);
}
