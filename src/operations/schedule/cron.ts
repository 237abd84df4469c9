import { Cron } from 'croner';
import { show, wrong } from '../../core/arguments.js';
import { messageOf, TrueupError } from '../../core/errors.js';

/** Every night at three. */
export const DEFAULT_SCHEDULE = '0 3 * * *';

export const DEFAULT_TIME_ZONE = 'UTC';

/**
 * A cron expression in a time zone: when something is due. It knows no clock; every question names a
 * moment.
 *
 * An expression with one minute and one hour is due exactly once a day, whatever the clocks do: in the
 * night in which they go forward it is due when the hour that is left out is over, and in the night in
 * which they go back at the first of two equal times. Any other expression is due at the times that there
 * are, so twice in the hour that comes twice.
 */
export class Schedule {
  readonly expression: string;
  readonly timeZone: string;
  readonly #cron: Cron;

  /** @throws TrueupError `invalid_argument` */
  constructor(expression: string = DEFAULT_SCHEDULE, timeZone: string = DEFAULT_TIME_ZONE) {
    this.expression = expression.trim().replaceAll(/\s+/g, ' ');
    this.timeZone = checkedTimeZone(timeZone);
    this.#cron = parse(this.expression, this.timeZone);
    // An expression may be sound and never be due, such as the 31st of February.
    if (this.#cron.nextRuns(1, new Date(0)).length === 0) {
      throw wrong(`the schedule ${show(this.expression)} is never due`);
    }
  }

  /** As people and records name it. */
  get name(): string {
    return `${this.expression} ${this.timeZone}`;
  }

  /** The last moment at which it was due, that moment included; null where there was none. */
  latestDue(now: Date): Date | null {
    return this.#cron.previousRuns(1, new Date(now.getTime() + 1))[0] ?? null;
  }

  /** The first moment after this one at which it is due; null where there is none any more. */
  nextDue(now: Date): Date | null {
    return this.#cron.nextRun(now);
  }

  /**
   * Milliseconds that may lie between two runs around this moment: the longer of the pauses before and
   * after the latest slot. On a Monday, for a schedule of weekdays, that is the weekend.
   */
  longestPause(now: Date): number | null {
    const [latest, earlier] = this.#cron.previousRuns(2, new Date(now.getTime() + 1));
    const next = this.nextDue(now);
    if (latest === undefined || next === null) return null;
    const after = next.getTime() - latest.getTime();
    return earlier === undefined ? after : Math.max(after, latest.getTime() - earlier.getTime());
  }
}

function checkedTimeZone(timeZone: string): string {
  try {
    if (!/^[a-z]/i.test(timeZone)) throw new RangeError('an offset knows no daylight saving time');
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch (error) {
    throw refusal(`${show(timeZone)} is no time zone`, 'Give one like Europe/Berlin.', error);
  }
}

/** Five fields or a nickname; anything else that the parser knows (seconds, dates) is none of ours. */
function parse(expression: string, timezone: string): Cron {
  const hint = 'Give five fields, as in "0 3 * * *": minute, hour, day, month, weekday.';
  // A question mark stands for the time of the program's start, which is another one in every process.
  const isForeign = expression.includes('?');
  if (isForeign || (!expression.startsWith('@') && expression.split(' ').length !== 5)) {
    throw refusal(`${show(expression)} is no cron expression`, hint);
  }
  try {
    return new Cron(expression, { paused: true, timezone, mode: '5-part' });
  } catch (error) {
    const reason = messageOf(error).replace(/^Cron\w+: /, '');
    throw refusal(`${show(expression)} is no cron expression: ${reason}`, hint, error);
  }
}

function refusal(message: string, hint: string, cause?: unknown): TrueupError {
  return new TrueupError('invalid_argument', message, { hint, cause });
}
