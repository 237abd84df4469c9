import { messageOf } from '../../core/errors.js';
import type { Database } from '../../postgres/database.js';
import * as statements from './alert-statements.js';
import type { OutboxRow } from './alert-statements.js';
import { command } from './command.js';
import type { AlertHooks, AlertMessage, Hook } from './hooks.js';
import { webhook } from './webhook.js';

/** How often to try again where two begin to listen at once. */
const RETRIES = 3;

/** What became of alerts that were due. */
export interface DeliveryResult {
  readonly delivered: number;
  /** Not accepted; they are tried again later. */
  readonly failed: number;
}

/** One attempt to deliver one alert. */
export interface Delivery {
  readonly id: string;
  readonly kind: string;
  readonly message: string;
  /** Why it was not accepted; null where it was. */
  readonly error: string | null;
}

/**
 * The hooks that were asked for, ready to be given alerts.
 *
 * @throws TrueupError `invalid_argument`
 */
export function hooksOf(hooks: AlertHooks): Hook[] {
  return [
    ...(hooks.webhook === undefined ? [] : [webhook(hooks.webhook)]),
    ...(hooks.command === undefined ? [] : [command(hooks.command)]),
  ];
}

/**
 * Delivers the alerts of a ledger that are due, each to every hook, until it is accepted: at least once,
 * by one of any number of processes at a time. What is not accepted is tried again later, with longer
 * and longer pauses, and is given up after seven days. What was raised before the ledger had any hooks is
 * dropped, but for what is wrong still. Without a hook nothing is done.
 *
 * @param signal ends it: an alert under way is given back
 * @param onDelivery hears of every attempt
 */
export async function deliverAlerts(
  database: Database,
  ledger: string,
  hooks: readonly Hook[],
  {
    signal = new AbortController().signal,
    onDelivery,
  }: {
    readonly signal?: AbortSignal | undefined;
    readonly onDelivery?: ((delivery: Delivery) => void) | undefined;
  } = {},
): Promise<DeliveryResult> {
  const result = { delivered: 0, failed: 0 };
  if (hooks.length > 0) await beginToListen(database, ledger);
  while (hooks.length > 0 && !signal.aborted) {
    const [alert] = await database.query<OutboxRow>(statements.claimAlert(ledger));
    if (alert === undefined) break;
    const error = await deliver(database, alert, hooks, signal);
    if (error === undefined) break; // It was stopped.
    result[error === null ? 'delivered' : 'failed'] += 1;
    onDelivery?.({ id: alert.id, kind: alert.kind, message: alert.message, error });
  }
  return result;
}

/** Whoever raises an alert at the same time is before it or after it. */
async function beginToListen(database: Database, ledger: string): Promise<void> {
  const known = await database.query(statements.hasHooks(ledger));
  if (known.length > 0) return;
  await database.transaction(
    async (session) => {
      await session.query(statements.lockConditions(ledger));
      const first = await session.query(statements.firstHooks(ledger));
      if (first.length > 0) await session.query(statements.dropHistory(ledger));
    },
    { retries: RETRIES },
  );
}

/** @returns why it was not accepted; null where it was; undefined where it was not tried to the end */
async function deliver(
  database: Database,
  alert: OutboxRow,
  hooks: readonly Hook[],
  signal: AbortSignal,
): Promise<string | null | undefined> {
  const message = messageTo(alert);
  const failures: string[] = [];
  for (const hook of hooks) {
    if (alert.deliveredTo.includes(hook.name)) continue;
    try {
      await hook.deliver(message, signal);
    } catch (error) {
      if (signal.aborted) {
        await database.query(statements.giveBack(alert.id));
        return undefined;
      }
      failures.push(`${hook.name}: ${messageOf(error)}`);
      continue;
    }
    await database.query(statements.acceptedBy(alert.id, hook.name));
  }
  if (failures.length === 0) {
    await database.query(statements.delivered(alert.id));
    return null;
  }
  const reason = failures.join('; ');
  await database.query(statements.postpone(alert.id, alert.attempts, reason));
  return reason;
}

function messageTo({ body, ...alert }: OutboxRow): AlertMessage {
  return {
    type: 'alert',
    id: alert.id,
    kind: alert.kind,
    state: alert.state,
    severity: body.severity,
    text: `Trueup: ${alert.message}`,
    message: alert.message,
    ledger: alert.ledger,
    runId: alert.runId,
    raisedAt: alert.raisedAt.toISOString(),
    openedAt: new Date(body.openedAt).toISOString(),
    details: body.details,
  };
}
