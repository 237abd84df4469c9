import { show, wrong } from '../../core/arguments.js';
import { TrueupError } from '../../core/errors.js';

/** Where alerts go. Either, both, or none. */
export interface AlertHooks {
  /** `https://` or `http://`: the alert is posted there as JSON. Any 2xx means it was accepted. */
  readonly webhook?: string | undefined;
  /** A line for the shell: it gets the JSON on stdin. Exit status 0 means it was accepted. */
  readonly command?: string | undefined;
}

/** An alert as hooks get it, as JSON. */
export interface AlertMessage {
  readonly type: 'alert';
  /** The same when it is delivered again: whoever gets it twice knows it by this. */
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly severity: string;
  /** The message again, under the name that chat services look for. */
  readonly text: string;
  readonly message: string;
  /** Schema-qualified and quoted. */
  readonly ledger: string;
  readonly runId: string | null;
  readonly raisedAt: string;
  /** Since when it has been so. */
  readonly openedAt: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A place that alerts are given to. */
export interface Hook {
  readonly name: 'webhook' | 'command';
  /** Resolves when it was accepted. @throws Error whose message says why not, without secrets */
  deliver(message: AlertMessage, signal: AbortSignal): Promise<void>;
}

/**
 * The address of a webhook. Its path and its password are secrets as a rule, so no message repeats them.
 *
 * @throws TrueupError `invalid_argument`
 */
export function checkWebhook(webhook: string): URL {
  const url = URL.canParse(webhook) ? new URL(webhook) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new TrueupError(
      'invalid_argument',
      'the webhook for alerts is no http or https address',
      {
        hint: 'Give one like https://example.com/hooks/trueup, in TRUEUP_ALERT_WEBHOOK or --alert-webhook.',
      },
    );
  }
  return url;
}

/** @throws TrueupError `invalid_argument` */
export function checkCommand(command: string): string {
  if (command.trim() === '') throw wrong(`the command for alerts is empty: ${show(command)}`);
  return command;
}
