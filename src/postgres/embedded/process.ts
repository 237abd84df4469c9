import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TrueupError } from '../../core/errors.js';
import type { Home } from './home.js';

/** The name of the database user that the embedded server knows. */
export const SERVER_USER = 'trueup';

/** It listens on no port; but the name of its socket has a number in it. */
const SERVER_PORT = '5432';

/** How long a server may take to become ready: recovery after a crash can be long. */
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 30_000;
const POLL_MS = 10;

/** Settings of the embedded server: local sockets only, everything else as PostgreSQL ships. */
function serverSettings(home: Home): string[] {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: home.sockets,
    unix_socket_permissions: '0700',
    port: SERVER_PORT,
    max_connections: '200',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Creates the cluster if there is none. Two processes that try at once end with one cluster. */
export function createCluster(home: Home): void {
  if (existsSync(join(home.data, 'PG_VERSION'))) return;
  const half = `${home.data}.${String(process.pid)}`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { mode: 0o700 });
  if (home.identity !== undefined) chownSync(half, home.identity.uid, home.identity.gid);
  const result = spawnSync(
    home.binaries.initdb,
    [
      ...['-D', half, '-U', SERVER_USER, '-A', 'trust', '-E', 'UTF8', '--data-checksums'],
      ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    ],
    { ...home.identity, cwd: '/', encoding: 'utf8' },
  );
  if (result.status !== 0) {
    rmSync(half, { recursive: true, force: true });
    const said = result.error?.message ?? result.stderr;
    throw new TrueupError('embedded_failed', `initdb failed: ${said.trim()}`, {
      hint: 'Check the free space and the rights of the folder, or set DATABASE_URL.',
    });
  }
  try {
    renameSync(half, home.data);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(join(home.data, 'PG_VERSION'))) throw error;
  }
}

/** Starts the server, or waits for the one that another process has started. */
export async function ensureRunning(home: Home): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  let logFrom = logLength(home);
  let child: Child | undefined;
  while (Date.now() < deadline) {
    const postmaster = readPostmaster(home);
    if (postmaster?.ready === true) return;
    if (postmaster === undefined && child?.running !== true) {
      // A server that ended at once lost a race, or meets what a killed one has left behind.
      if (child !== undefined && child.exits > 50) break;
      logFrom = child === undefined ? logLength(home) : logFrom;
      child = launch(home, child?.exits ?? 0);
    }
    await delay(POLL_MS);
  }
  throw new TrueupError(
    'embedded_failed',
    `the embedded server did not start: ${logSince(home, logFrom)}`,
    {
      hint: `Its log is ${home.log}.`,
    },
  );
}

interface Child {
  running: boolean;
  exits: number;
}

function launch(home: Home, exits: number): Child {
  removeStaleSocketLock(home);
  const log = openSync(home.log, 'a');
  const server = spawn(home.binaries.postgres, ['-D', home.data, ...serverSettings(home)], {
    ...home.identity,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const child: Child = { running: true, exits };
  const ended = (): void => {
    child.running = false;
    child.exits += 1;
  };
  server.once('exit', ended);
  server.once('error', ended);
  server.unref();
  return child;
}

/**
 * The socket has a lock file of its own, which names a process as well. PostgreSQL overwrites it when
 * that process is gone, but takes a zombie, or a program that has got the number since, for a server.
 */
function removeStaleSocketLock(home: Home): void {
  const file = join(home.sockets, `.s.PGSQL.${SERVER_PORT}.lock`);
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (pid > 0 && processState(pid) === 'stranger') rmSync(file, { force: true });
}

/** Asks the server to end (open transactions are rolled back) and waits until it has. */
export async function stopServer(home: Home): Promise<void> {
  const postmaster = readPostmaster(home);
  if (postmaster === undefined) return;
  process.kill(postmaster.pid, 'SIGINT');
  const deadline = Date.now() + STOPPED_WITHIN_MS;
  while (readPostmaster(home) !== undefined) {
    if (Date.now() > deadline) {
      throw new TrueupError('embedded_failed', 'the embedded server did not stop', {
        hint: `Its log is ${home.log}; its process is ${String(postmaster.pid)}.`,
      });
    }
    await delay(POLL_MS);
  }
}

interface Postmaster {
  readonly pid: number;
  readonly ready: boolean;
}

/**
 * Reads postmaster.pid: line 1 is the process, line 8 its state.
 *
 * @returns undefined when no server runs on these files
 */
export function readPostmaster(home: Home): Postmaster | undefined {
  const file = join(home.data, 'postmaster.pid');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return undefined; // No file, no server: PostgreSQL removes it when it ends.
  }
  const pid = Number.parseInt(lines[0] ?? '', 10);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const state = processState(pid);
  if (state === 'server') return { pid, ready: lines[7]?.trim() === 'ready' };
  // The server was killed, and its number belongs to its zombie or to another program by now:
  // PostgreSQL would take that for a running server and refuse to start for ever.
  if (state === 'stranger') rmSync(file, { force: true });
  return undefined;
}

function processState(pid: number): 'server' | 'stranger' | 'none' {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPERM') return 'none';
  }
  let stat: string;
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  } catch {
    return existsSync('/proc/self/stat') ? 'none' : 'server'; // macOS has no /proc: believe the file.
  }
  // "123 (postgres) S ...": a zombie has been killed and only waits for somebody to take note.
  return /^\d+ \(postgres\) [^Z]/.test(stat) ? 'server' : 'stranger';
}

function logLength(home: Home): number {
  return existsSync(home.log) ? readFileSync(home.log).length : 0;
}

function logSince(home: Home, from: number): string {
  const said = readFileSync(home.log).subarray(from).toString('utf8').trim();
  return said === '' ? 'it said nothing' : said.split('\n').slice(-3).join(' / ');
}
