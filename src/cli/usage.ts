import type { Command } from 'commander';
import { TrueupError } from '../index.js';

/** Does something whose only errors are words on the command line that cannot be meant. */
export function asUsage<Result>(command: Command, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TrueupError)) throw error;
    return command.error(
      `error: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`,
    );
  }
}
