import {
  orNull,
  read,
  readText,
  readWhole,
  readWords,
  shape,
  show,
  wrong,
} from '../core/arguments.js';
import { hooksOf } from '../operations/alerts/deliver.js';
import type { AlertHooks, Hook } from '../operations/alerts/hooks.js';
import type { OnEvent } from '../operations/events.js';
import { Schedule } from '../operations/schedule/cron.js';
import {
  checkOptions,
  DEFAULT_CYCLE,
  readFunction,
  type ReconcileOptions,
} from '../reconcile/options.js';

/** What `operate` and the alerts may be told, field by field. */

/** What the schedule itself decides for its runs. */
const DECIDED = [
  'all',
  'userIds',
  'sinceCheckpoint',
  'resume',
  'dryRun',
  'limit',
  'signal',
] as const;

/** How scheduled runs work: the options of reconcile but for what the schedule itself decides. */
export type NightlyOptions = Omit<ReconcileOptions, (typeof DECIDED)[number]>;

/** How a long-running process operates a ledger. */
export interface OperateOptions {
  /** Five fields of cron, or null for no scheduled runs. Default: `0 3 * * *`. */
  readonly schedule?: string | null | undefined;
  /** Of the schedule, such as `Europe/Berlin`. Default: `UTC`. */
  readonly timeZone?: string | undefined;
  /** A run over every wallet at least so often, in seconds; others are incremental. Default: 7 days. */
  readonly fullEvery?: number | undefined;
  /** How the runs work; they are unattended. */
  readonly reconcile?: NightlyOptions | undefined;
  /** Where alerts go. Default: nowhere; they are on record all the same. */
  readonly alerts?: AlertHooks | undefined;
  /** Hears of what happens, one event at a time. */
  readonly onEvent?: OnEvent | undefined;
}

/** What is asked of the alerts on record. */
export interface AlertsRequest {
  /** So many at most, the newest first. Default: 100. */
  readonly limit?: number | undefined;
}

const DAYS_TO_SECONDS = 86_400;

/** The longest span that makes sense, in seconds: ten years. */
const LONGEST = 3_653 * DAYS_TO_SECONDS;

/** Addresses and commands may be longer than names; hooksOf checks them. */
export const HOOKS = shape<AlertHooks>('the hooks of alerts', {
  webhook: readWords,
  command: readWords,
});

export const ALERTS = shape<AlertsRequest>('alerts', { limit: readWhole(1, 10_000) });

/** Its fields are read when they are put together with what the schedule decides. */
function readNightly(value: unknown, name: string, whose: string): NightlyOptions {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw wrong(`${name} of ${whose} has to be an object, not ${show(value)}`);
}

const OPERATE = shape<OperateOptions>('operating', {
  schedule: orNull(readText),
  timeZone: readText,
  fullEvery: readWhole(1, LONGEST),
  reconcile: readNightly,
  alerts: (value) => read(HOOKS, value),
  onEvent: readFunction,
});

const FULL_EVERY_SECONDS = 7 * DAYS_TO_SECONDS;

/** What operating needs, made ready. */
export interface CheckedOperateOptions {
  readonly schedule: Schedule | null;
  readonly fullEvery: number;
  /** Seconds within which every wallet is to be verified. */
  readonly cycle: number;
  readonly nightly: NightlyOptions;
  readonly hooks: readonly Hook[];
  readonly onEvent: OnEvent;
}

/**
 * Whatever is wrong with the options is told now, and not at three in the morning.
 *
 * @throws TrueupError `invalid_argument`
 */
export function checkOperateOptions(options: OperateOptions): CheckedOperateOptions {
  const asked = read(OPERATE, options);
  const { schedule, timeZone, fullEvery = FULL_EVERY_SECONDS, reconcile = {} } = asked;
  checkNightly(reconcile);
  return {
    schedule: schedule === null ? null : new Schedule(schedule, timeZone),
    fullEvery,
    cycle: reconcile.cycle ?? DEFAULT_CYCLE,
    nightly: reconcile,
    hooks: hooksOf(asked.alerts ?? {}),
    onEvent: asked.onEvent ?? ((): void => undefined),
  };
}

function checkNightly(nightly: NightlyOptions): void {
  const given = checkOptions({ sinceCheckpoint: true, ...nightly });
  const decided = DECIDED.find((name) => name in nightly && name in given);
  if (decided !== undefined)
    throw wrong(`${decided} of a scheduled run is for the schedule to say`);
}
