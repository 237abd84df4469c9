import { spawn, type ChildProcess } from 'node:child_process';
import { checkCommand, type AlertMessage, type Hook } from './hooks.js';

/** How long a command may take, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** So much of what it says on stderr is kept for the record, in characters. */
const KEPT_WORDS = 500;

/** A variable of the environment has room for so much. */
const LONGEST_VALUE = 8_000;

/**
 * Hands alerts to a command. The line is the operator's own and goes to the shell as it is; what an alert
 * says never becomes a part of it: data goes through stdin and the environment alone.
 *
 * @throws TrueupError `invalid_argument`
 */
export function command(line: string, timeoutMs: number = TIMEOUT_MS): Hook {
  const checked = checkCommand(line);
  return {
    name: 'command',
    deliver: (message, signal) => runCommand(checked, message, timeoutMs, signal),
  };
}

function runCommand(
  line: string,
  message: AlertMessage,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  // A group of its own, so that a timeout ends what the shell has started too.
  const child = spawn(line, {
    shell: true,
    detached: process.platform !== 'win32',
    env: { ...process.env, ...variablesOf(message) },
    stdio: ['pipe', 'ignore', 'pipe'],
    windowsHide: true,
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-KEPT_WORDS);
  });
  child.stdin.on('error', () => {
    // It may end without reading what it is told: its exit status says whether that was meant.
    child.stdin.destroy();
  });
  child.stdin.end(`${JSON.stringify(message)}\n`);
  return new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      // What it has left running may hold the pipe open; nobody waits for that.
      child.stderr.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onAbort = (): void => {
      killGroup(child);
      end(new Error('it was stopped, because this process stops'));
    };
    const timer = setTimeout(() => {
      killGroup(child);
      end(new Error(`the command did not end within ${String(timeoutMs / 1000)} seconds`));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    child.on('error', (error) => {
      end(new Error(`the command cannot be run: ${error.message}`, { cause: error }));
    });
    child.on('exit', (status, by) => {
      // The pipe may have more to say than was read when the process ended.
      setImmediate(() => {
        if (status === 0) end();
        else end(new Error(failure(status, by, words)));
      });
    });
  });
}

function failure(status: number | null, by: string | null, words: string): string {
  const how = status === null ? `was ended by ${by ?? 'a signal'}` : `ended with ${String(status)}`;
  return `the command ${how}${words.trim() === '' ? '' : `: ${words.trim()}`}`;
}

function variablesOf(message: AlertMessage): Record<string, string> {
  const values = {
    ID: message.id,
    KIND: message.kind,
    STATE: message.state,
    SEVERITY: message.severity,
    MESSAGE: message.message,
    LEDGER: message.ledger,
    RUN_ID: message.runId ?? '',
    RAISED_AT: message.raisedAt,
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `TRUEUP_ALERT_${name}`,
      value.slice(0, LONGEST_VALUE),
    ]),
  );
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // It has ended in this instant.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
