import { TrueupError } from '../../core/errors.js';
import type { Schedule } from './cron.js';

/** Cron expressions as systemd writes them: `*-*-* 03:00:00 UTC`. */

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const DAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** The five fields, in the form that every cron understands. */
export interface Fields {
  readonly minute: string;
  readonly hour: string;
  readonly day: string;
  readonly month: string;
  readonly weekday: string;
}

/**
 * The fields of a schedule.
 *
 * @throws TrueupError `invalid_argument`: it has something (L, W, #) that other schedulers do not know
 */
export function fieldsOf({ expression }: Schedule): Fields {
  const plain = NICKNAMES[expression.toLowerCase()] ?? expression;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = plain.split(' ');
  const fields = { minute, hour, day, month, weekday };
  const known = [
    ...[minute, hour, day].map((field) => isPlain(field, [])),
    isPlain(month, MONTHS),
    isPlain(weekday, DAYS),
  ];
  if (known.every((each) => each)) return fields;
  throw new TrueupError(
    'invalid_argument',
    `other schedulers do not know all of the schedule "${expression}"`,
    { hint: 'Use numbers, names, lists, ranges and steps only; or let trueup start run it.' },
  );
}

const FIELD = /^(\*|\w+(-\w+)?)(\/\d+)?(,(\*|\w+(-\w+)?)(\/\d+)?)*$/;

function isPlain(field: string, names: readonly string[]): boolean {
  const words = field.toLowerCase().match(/[a-z]+/g) ?? [];
  return FIELD.test(field) && words.every((word) => names.includes(word));
}

/**
 * The lines of `OnCalendar=`. Where both a day and a weekday are asked for, cron means either, and systemd
 * both: that takes two lines.
 */
export function calendarOf(schedule: Schedule): string[] {
  const { minute, hour, day, month, weekday } = fieldsOf(schedule);
  const time = `${listed(hour, 0, 23)}:${listed(minute, 0, 59)}:00 ${schedule.timeZone}`;
  const months = listed(month, 1, 12, MONTHS);
  const onDays = `*-${months}-${listed(day, 1, 31)} ${time}`;
  const onWeekdays = `${weekdays(weekday)} *-${months}-* ${time}`;
  // As cron reads it: a field that begins with a star asks for nothing.
  if (weekday.startsWith('*')) return [isAll(weekday) ? onDays : `${weekdays(weekday)} ${onDays}`];
  if (day.startsWith('*')) return [isAll(day) ? onWeekdays : `${weekdays(weekday)} ${onDays}`];
  return [onDays, onWeekdays];
}

function isAll(field: string): boolean {
  return field === '*' || field === '*/1';
}

/** A field as systemd lists numbers: every one of them, or `*`. */
function listed(field: string, from: number, to: number, names: readonly string[] = []): string {
  if (isAll(field)) return '*';
  return numbers(field, from, to, names)
    .map((number) => String(number).padStart(2, '0'))
    .join(',');
}

function weekdays(field: string): string {
  const days = new Set(numbers(field, 0, 7, DAYS, 0).map((day) => day % 7));
  return [...days].map((day) => DAY_NAMES[day] ?? '').join(',');
}

/** The numbers of a field, in order. */
function numbers(
  field: string,
  from: number,
  to: number,
  names: readonly string[],
  firstName: number = from,
): number[] {
  const read = (text: string): number => {
    const at = names.indexOf(text.toLowerCase());
    return at < 0 ? Number(text) : at + firstName;
  };
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [first = '', last = first] = range.split('-');
    const [low, high] = range === '*' ? [from, to] : [read(first), read(last)];
    for (let number = low; number <= high; number += Number(step)) found.add(number);
  }
  return [...found].sort((left, right) => left - right);
}
