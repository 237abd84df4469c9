import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TrueupError } from '../core/errors.js';
import { ROOT } from '../root.js';

const PROGRAM = fileURLToPath(new URL('bin/trueup.mjs', ROOT));

/** How often the peak is read while the command runs; the system keeps it, so little is missed. */
const READ_EVERY_MS = 20;

/**
 * Runs a command of Trueup as a process of its own.
 *
 * @returns its peak memory in MB, as Linux counts it (VmHWM)
 * @throws TrueupError `invalid_argument` where the system does not tell
 */
export async function memoryOf(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peak = Number.NaN;
  const timer = setInterval(() => {
    peak = peakOf(child.pid) ?? peak;
  }, READ_EVERY_MS);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
  clearInterval(timer);
  if (status !== 0 || Number.isNaN(peak)) {
    throw new TrueupError(
      'invalid_argument',
      `the peak memory of ${args.join(' ')} cannot be measured here (exit ${String(status)})`,
      { hint: 'This scenario needs Linux.' },
    );
  }
  return peak;
}

function peakOf(pid: number | undefined): number | undefined {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined; // The process has ended, or the system has no /proc.
  }
}
