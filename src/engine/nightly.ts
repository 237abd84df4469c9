import { read } from '../core/arguments.js';
import { messageOf, TrueupError } from '../core/errors.js';
import { requireOperable } from '../doctor/operable.js';
import * as statements from '../operations/alerts/alert-statements.js';
import { deliverAlerts, hooksOf, type DeliveryResult } from '../operations/alerts/deliver.js';
import type { AlertHooks } from '../operations/alerts/hooks.js';
import { raiseAlerts, raiseFailure, type RaisedAlert } from '../operations/alerts/raise.js';
import { operate, type Operation } from '../operations/operate.js';
import { isConnectionFailure } from '../postgres/failures.js';
import type { ReconcileOptions } from '../reconcile/options.js';
import type { AtEnd, ReconcileSummary } from '../reconcile/summary.js';
import type { NightlyRequest } from '../operations/schedule/slot-run.js';
import { Health } from './health.js';
import {
  ALERTS,
  checkOperateOptions,
  HOOKS,
  type AlertsRequest,
  type NightlyOptions,
  type OperateOptions,
} from './nightly-options.js';

/** An alert on record. */
export type AlertRecord = statements.AlertRow;

/** What is wrong now, as people were told of it. */
export type OpenCondition = statements.ConditionRow;

/** What people are told, and what is wrong now. */
export interface Alerts {
  /** What is wrong now, the oldest first. */
  readonly open: readonly OpenCondition[];
  /** What was raised, the newest first. */
  readonly alerts: readonly AlertRecord[];
}

/** A ledger that is operated in the background. */
export interface RunningOperation {
  /** Ends it: a run under way finishes its batch, and another process or a later start goes on with it. */
  stop(): Promise<void>;
}

/** What one run of the schedule is asked. */
function nightlyRun(
  { cycle, ...nightly }: NightlyOptions,
  { full, resume, signal }: NightlyRequest,
): ReconcileOptions {
  if (resume !== null) return { ...nightly, cycle, resume, signal };
  if (full) return { ...nightly, all: true, signal };
  return { ...nightly, cycle, sinceCheckpoint: true, signal };
}

/** A run that somebody else does is no failure. */
const OTHERS_AT_WORK: readonly string[] = ['run_under_way', 'run_lost'];

function isFailure(error: unknown): boolean {
  return !(error instanceof TrueupError && OTHERS_AT_WORK.includes(error.code));
}

/** What keeps a platform's ledger right night after night: runs on a schedule, and alerts. */
export abstract class Nightly<
  Events extends Record<keyof Events, unknown[]>,
> extends Health<Events> {
  readonly #operations = new Set<Operation>();

  /** Finds every cache that differs from the ledger and repairs it, or only reports it. */
  abstract reconcile(options: ReconcileOptions): Promise<ReconcileSummary>;

  /** Starts the server again where it is Trueup's own; undefined where it is somebody else's. */
  protected abstract reviver(): (() => Promise<void>) | undefined;

  /**
   * Runs reconcile on a schedule, raises alerts and delivers them, until it is stopped or this Trueup is
   * closed. Any number of processes may do so on one ledger: each slot of the schedule is run by one of
   * them. `trueup start` is this and little else. A role that may not, or a database that takes no writes, is
   * refused now; what is lost later is told, and waited for, like a database that is away.
   *
   * @throws TrueupError `invalid_argument`, `closed`, `read_only`, `permission_denied` with the GRANTs that
   *   are missing, `database_read_only`
   */
  async operate(options: OperateOptions = {}): Promise<RunningOperation> {
    const { nightly, ...asked } = checkOperateOptions(options);
    const parts = {
      ...asked,
      job: (request: NightlyRequest) =>
        this.reconcile({ unattended: true, ...nightlyRun(nightly, request) }),
      revive: this.reviver(),
    };
    return this.change(async ({ database, mapping }) => {
      const ledger = mapping.ledger.table.quoted;
      await requireOperable(database, mapping).catch((error: unknown) => {
        // One that is away just now is told and waited for by what begins here.
        if (!isConnectionFailure(error)) throw error;
      });
      const operation = operate({ ...parts, database, ledger });
      this.#operations.add(operation);
      return {
        stop: async () => {
          await operation.stop();
          this.#operations.delete(operation);
        },
      };
    });
  }

  /** Ends what `operate` has begun. */
  protected async endOperations(): Promise<void> {
    await Promise.all([...this.#operations].map((operation) => operation.stop()));
    this.#operations.clear();
  }

  /** Background work has failed: whoever operates tells it. */
  protected workFailed(error: unknown): void {
    for (const operation of this.#operations) operation.failed(error);
  }

  /**
   * Has a run raise alerts: at its end, in the transaction that records it, or because it failed and
   * nobody watches.
   */
  protected async raising(
    ledger: string,
    options: Pick<ReconcileOptions, 'unattended'>,
    run: (atEnd: AtEnd) => Promise<ReconcileSummary>,
  ): Promise<ReconcileSummary> {
    let raised: readonly RaisedAlert[] = [];
    try {
      const summary = await run(async (session, ended) => {
        raised = await raiseAlerts(session, ledger, ended);
      });
      this.#told(raised);
      return summary;
    } catch (error) {
      if (options.unattended === true && isFailure(error)) await this.#raiseFailure(ledger, error);
      throw error;
    }
  }

  /** Where not even that can be put on record, whoever waits for the run is told by its error. */
  async #raiseFailure(ledger: string, error: unknown): Promise<void> {
    const failure = { runId: null, message: messageOf(error) };
    await this.change(async ({ database }) => {
      this.#told(await raiseFailure(database, ledger, failure));
    }).catch((second: unknown) => {
      this.workFailed(second);
    });
  }

  /** Tells this program's listeners of an alert. */
  protected abstract tellAlert(alert: RaisedAlert): void;

  #told(alerts: readonly RaisedAlert[]): void {
    for (const alert of alerts) this.tellAlert(alert);
    for (const operation of this.#operations) operation.raised(alerts);
  }

  /**
   * Delivers the alerts that are due, each to both hooks, and tells how many were accepted; the others
   * are tried again by the next call, or by whoever operates the ledger.
   *
   * @throws TrueupError `invalid_argument`
   */
  deliverAlerts(hooks: AlertHooks): Promise<DeliveryResult> {
    return this.change(async ({ database, mapping }) =>
      deliverAlerts(database, mapping.ledger.table.quoted, hooksOf(read(HOOKS, hooks))),
    );
  }

  /** What is wrong now, and what people were told. Reads only. */
  alerts(request: AlertsRequest = {}): Promise<Alerts> {
    return this.ask(async ({ database, mapping }) => {
      const { limit = 100 } = read(ALERTS, request);
      const ledger = mapping.ledger.table.quoted;
      return {
        open: await database.query<OpenCondition>(statements.listConditions(ledger)),
        alerts: await database.query<AlertRecord>(statements.listAlerts(ledger, limit)),
      };
    });
  }
}
