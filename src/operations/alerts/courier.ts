import type { Database } from '../../postgres/database.js';
import type { DatabaseWatch } from '../database-watch.js';
import type { OnEvent } from '../events.js';
import { Loop } from '../loop.js';
import { deliverAlerts, type Delivery } from './deliver.js';
import type { Hook } from './hooks.js';

/** Alerts may be raised by any process, which wakes nobody: so often it looks, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

/** Delivers alerts in the background of a long-running process. Several may work side by side. */
export class Courier {
  readonly #loop: Loop;

  constructor(
    database: Database,
    ledger: string,
    hooks: readonly Hook[],
    told: { readonly onEvent: OnEvent; readonly watch: DatabaseWatch },
  ) {
    const onDelivery = (delivery: Delivery): void => {
      told.onEvent(eventOf(delivery));
    };
    this.#loop = new Loop(
      async (signal) => {
        await deliverAlerts(database, ledger, hooks, { signal, onDelivery });
        told.watch.answered();
        return LOOK_EVERY_MS;
      },
      (error) => {
        told.watch.failed(error);
      },
    );
  }

  /** Has it look now. */
  look(): void {
    this.#loop.ring();
  }

  /** Ends it: an alert that is on its way is given back, for the next process. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

function eventOf({ id, kind, message, error }: Delivery): Parameters<OnEvent>[0] {
  const details = { alert: id, kind };
  if (error === null) {
    const told = `alert ${id} was delivered: ${message}`;
    return { event: 'alert_delivered', level: 'info', message: told, details };
  }
  const told = `alert ${id} was not accepted, and is tried again: ${error}`;
  return { event: 'alert_failed', level: 'warning', message: told, details };
}
