/** What happens in a long-running process, as its log tells it. */
export const EVENTS = [
  'starting', // it connects
  'started',
  'stopping', // it was asked to, and finishes what is under way
  'stopped',
  'signal', // one that changes nothing
  'database_lost',
  'database_back',
  'slot_skipped', // due, and not run: the reason is on record
  'slot_given_up', // begun too often
  'slot_lost', // another process has taken it over
  'slot_released', // unfinished, for the next process
  'run_started',
  'run_finished',
  'run_failed',
  'healed',
  'alert_raised',
  'alert_delivered',
  'alert_failed',
  'error',
] as const;

export type EventName = (typeof EVENTS)[number];

/** One thing that happened: one line of a log. */
export interface OperationsEvent {
  readonly event: EventName;
  readonly level: 'info' | 'warning' | 'error';
  /** A sentence for people. */
  readonly message: string;
  /** The same for programs. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Hears of what happens. It must not throw. */
export type OnEvent = (event: OperationsEvent) => void;
