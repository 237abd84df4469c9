import type { Database } from '../postgres/database.js';
import type { ReconcileSummary } from '../reconcile/summary.js';
import { Courier } from './alerts/courier.js';
import type { Hook } from './alerts/hooks.js';
import { Monitor, tellRaised } from './alerts/monitor.js';
import { raiseFailure, type RaisedAlert } from './alerts/raise.js';
import { DatabaseWatch } from './database-watch.js';
import type { OnEvent } from './events.js';
import { Parts, type Part } from './parts.js';
import type { Schedule } from './schedule/cron.js';
import { Scheduler } from './schedule/scheduler.js';
import type { NightlyRequest } from './schedule/slot-run.js';

/** What it takes to operate a ledger. */
export interface OperateParts {
  readonly database: Database;
  /** Schema-qualified and quoted. */
  readonly ledger: string;
  /** null: no scheduled runs. */
  readonly schedule: Schedule | null;
  /** Seconds. */
  readonly fullEvery: number;
  /** Seconds within which every wallet is to be verified. */
  readonly cycle: number;
  readonly hooks: readonly Hook[];
  /** One unattended run. */
  readonly job: (request: NightlyRequest) => Promise<ReconcileSummary>;
  readonly onEvent: OnEvent;
  /** Starts the server where it is this process's own. */
  readonly revive?: (() => Promise<void>) | undefined;
}

/** A ledger that is operated in the background, until it is stopped. */
export interface Operation extends Part {
  /** Background work of others has failed: it is told as that of the operation itself. */
  failed(error: unknown): void;
  /** Alerts were raised by this process: they are told, and delivered at once. */
  raised(alerts: readonly RaisedAlert[]): void;
}

/** Begins to operate a ledger: alerts first, so that they hear of everything, then the schedule. */
export function operate(parts: OperateParts): Operation {
  const { database, ledger, schedule, cycle, hooks, job, onEvent, revive } = parts;
  const watch = new DatabaseWatch(onEvent);
  const running = new Parts();
  const courier =
    hooks.length === 0
      ? undefined
      : running.begin(new Courier(database, ledger, hooks, { onEvent, watch }));
  const raised = (alerts: readonly RaisedAlert[]): void => {
    tellRaised(alerts, onEvent);
    if (alerts.length > 0) courier?.look();
  };
  running.begin(new Monitor({ database, ledger, schedule, cycle, watch, revive, raised }));
  if (schedule !== null) {
    running.begin(
      new Scheduler({
        database,
        ledger,
        schedule,
        fullEveryMs: parts.fullEvery * 1000,
        job,
        raiseFailure: async (failure) => {
          raised(await raiseFailure(database, ledger, failure));
        },
        onEvent,
        watch,
      }),
    );
  }
  return {
    stop: () => running.stop(),
    failed: (error) => {
      watch.failed(error);
    },
    raised,
  };
}
