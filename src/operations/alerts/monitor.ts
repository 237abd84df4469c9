import type { Database } from '../../postgres/database.js';
import type { DatabaseWatch } from '../database-watch.js';
import type { OnEvent } from '../events.js';
import { Loop } from '../loop.js';
import type { Schedule } from '../schedule/cron.js';
import { databaseClock } from '../schedule/slot-statements.js';
import { raiseOverdue, type RaisedAlert } from './raise.js';

/** It asks the database for the time this often, which is also how a lost database is noticed, in milliseconds. */
const PULSE_EVERY_MS = 10_000;

/** It looks for what has not happened this often, and first after so long, in milliseconds. */
const LOOK_EVERY_MS = 5 * 60_000;

export interface MonitorParts {
  readonly database: Database;
  /** Schema-qualified and quoted. */
  readonly ledger: string;
  /** null: nobody runs a schedule here, so no run can be missing. */
  readonly schedule: Schedule | null;
  /** Seconds within which every wallet is to be verified. */
  readonly cycle: number;
  /** Hears of what was raised. */
  readonly raised: (alerts: readonly RaisedAlert[]) => void;
  readonly watch: DatabaseWatch;
  /** Starts a server that this process has to start; undefined where it is somebody else's. */
  readonly revive?: (() => Promise<void>) | undefined;
}

/** Watches what nobody does: runs that do not take place, wallets that are not verified. */
export class Monitor {
  readonly #parts: MonitorParts;
  readonly #loop: Loop;
  #nextLook: number | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.#loop = new Loop(
      () => this.#turn(),
      (error) => {
        parts.watch.failed(error);
      },
    );
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #turn(): Promise<number> {
    const { database, watch } = this.#parts;
    const now = await this.#now();
    watch.answered();
    const at = now.getTime();
    // What was missed before this process began is made up first; it may be well in a minute.
    this.#nextLook ??= at + LOOK_EVERY_MS;
    // A clock that was set back must not keep it from looking.
    if (at >= this.#nextLook || this.#nextLook - at > LOOK_EVERY_MS) {
      await this.#look(database, now);
      this.#nextLook = at + LOOK_EVERY_MS;
    }
    return PULSE_EVERY_MS;
  }

  async #now(): Promise<Date> {
    const { database, watch, revive } = this.#parts;
    const ask = async (): Promise<Date> => {
      const [row] = await database.query<{ now: Date }>(databaseClock);
      return row?.now ?? new Date(0);
    };
    try {
      return await ask();
    } catch (error) {
      if (revive === undefined) throw error;
      watch.failed(error);
      await revive();
      return ask();
    }
  }

  async #look(database: Database, now: Date): Promise<void> {
    const { ledger, schedule, cycle, raised } = this.#parts;
    const pause = schedule?.longestPause(now) ?? null;
    const every = pause === null ? null : pause / 1000;
    raised(await raiseOverdue(database, ledger, { every, cycle }));
  }
}

/** Says in the log which alerts were raised. */
export function tellRaised(raised: readonly RaisedAlert[], onEvent: OnEvent): void {
  for (const { id, kind, state, message } of raised) {
    onEvent({
      event: 'alert_raised',
      level: state === 'open' ? 'warning' : 'info',
      message: `alert ${id}: ${message}`,
      details: { alert: id, kind, state },
    });
  }
}
