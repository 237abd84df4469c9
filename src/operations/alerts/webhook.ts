import { messageOf } from '../../core/errors.js';
import { VERSION } from '../../version.js';
import { checkWebhook, type Hook } from './hooks.js';

/** How long a webhook may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Redirects within the same host that are followed. */
const MOST_REDIRECTS = 3;

/** Redirects that keep method and body. The others would turn the alert into a mere visit. */
const KEEPS_BODY = [307, 308];

/**
 * Posts alerts to an address. A redirect is followed on the same host and port only: an alert is for
 * nobody else.
 *
 * @throws TrueupError `invalid_argument`
 */
export function webhook(address: string, timeoutMs: number = TIMEOUT_MS): Hook {
  const target = checkWebhook(address);
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `trueup/${VERSION}`,
  };
  if (target.username !== '' || target.password !== '') {
    // The address of a request must not hold them.
    const user = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(user).toString('base64')}`;
    target.username = '';
    target.password = '';
  }
  return {
    name: 'webhook',
    deliver: async (message, signal) => {
      const timeout = AbortSignal.timeout(timeoutMs);
      const body = JSON.stringify(message);
      const send = (url: URL): Promise<Response> =>
        fetch(url, {
          method: 'POST',
          headers: { ...headers, 'trueup-alert-id': message.id },
          body,
          redirect: 'manual',
          signal: AbortSignal.any([signal, timeout]),
        });
      try {
        await post(target, send);
      } catch (error) {
        throw new Error(`${target.host}: ${timeout.aborted ? late(timeoutMs) : reasonOf(error)}`, {
          cause: error,
        });
      }
    },
  };
}

function late(timeoutMs: number): string {
  return `no answer within ${String(timeoutMs / 1000)} seconds`;
}

async function post(target: URL, send: (url: URL) => Promise<Response>): Promise<void> {
  let url = target;
  for (let redirects = 0; ; redirects += 1) {
    const response = await send(url);
    // Whatever it says beside its status: nobody reads it, and it may be endless.
    await response.body?.cancel();
    if (response.ok) return;
    url = redirected(url, response, redirects);
  }
}

/** Where to go instead. @throws Error where it was not accepted */
function redirected(from: URL, response: Response, redirects: number): URL {
  const { status } = response;
  const location = response.headers.get('location');
  if (status < 300 || status > 399 || location === null || !URL.canParse(location, from.href)) {
    throw new Error(`it answered with status ${String(status)}`);
  }
  const to = new URL(location, from);
  if (to.origin !== from.origin) {
    throw new Error(`it redirects to ${to.origin}, which is not followed: give that address`);
  }
  if (!KEEPS_BODY.includes(status)) {
    throw new Error(`it redirects with status ${String(status)}, by which the alert would be lost`);
  }
  if (redirects >= MOST_REDIRECTS) throw new Error('it redirects again and again');
  return to;
}

/** `fetch failed` says nothing: its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || error.cause === undefined) return messageOf(error);
  const cause = error.cause;
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join('; ');
  return messageOf(cause);
}
