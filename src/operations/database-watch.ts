import { messageOf, TrueupError } from '../core/errors.js';
import { isConnectionFailure } from '../postgres/failures.js';
import type { OnEvent } from './events.js';

/** A trouble that goes on is told again after so long, in milliseconds. */
const REMIND_AFTER_MS = 5 * 60_000;

/**
 * Tells errors of background work as people want to hear them: a database that is away once, and when it
 * is back; the same other error not more often than every five minutes.
 */
export class DatabaseWatch {
  readonly #onEvent: OnEvent;
  /** The steady clock: that of the host may jump. */
  readonly #clock: () => number;
  readonly #told = new Map<string, number>();
  #lost = false;

  constructor(onEvent: OnEvent, clock: () => number = () => performance.now()) {
    this.#onEvent = onEvent;
    this.#clock = clock;
  }

  /** The database has answered. */
  answered(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#told.clear();
    this.#onEvent({ event: 'database_back', level: 'info', message: 'the database is back' });
  }

  /** Some work has failed; whoever did it tries again. */
  failed(error: unknown): void {
    const message = messageOf(error);
    if (!isConnectionFailure(error)) {
      if (this.#isNews(message)) {
        this.#onEvent({ event: 'error', level: 'error', message: wordsOf(error) });
      }
      return;
    }
    if (!this.#isNews('lost')) return;
    const what = this.#lost ? 'the database is still away' : 'the database is away';
    this.#lost = true;
    this.#onEvent({
      event: 'database_lost',
      level: 'error',
      message: `${what}; this process waits and goes on when it is back: ${message}`,
    });
  }

  #isNews(what: string): boolean {
    const now = this.#clock();
    const last = this.#told.get(what);
    if (last !== undefined && now - last < REMIND_AFTER_MS) return false;
    this.#told.set(what, now);
    return true;
  }
}

/** What a process may not do any more; it could when it began. */
const REFUSED: readonly string[] = ['permission_denied', 'database_read_only'];

function wordsOf(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof TrueupError) || !REFUSED.includes(error.code)) return message;
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  return `this process may not do its work; it tries again until it may: ${message}${hint}`;
}
