import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { makeFolder } from './folder.js';

const PROGRAM = resolve(import.meta.dirname, '../../bin/trueup.mjs');

/** Where and with what the program runs. */
export interface CliOptions {
  /** DATABASE_URL of the program; without one it has none. */
  readonly databaseUrl?: string;
  /** Default: an empty folder of its own, which goes away with the run. */
  readonly cwd?: string;
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Nobody reads what the program prints: its stdout is closed before it begins. */
  readonly closeStdout?: boolean;
}

/** One JSON line of the program's output. */
export type JsonLine = Readonly<Record<string, unknown>>;

/** A run of the program that has ended. */
export interface CliRun {
  /** The exit status; null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as lines. */
  lines(): string[];
  /** stdout as JSON Lines; fails where a line is none. */
  json(): JsonLine[];
  /** The JSON lines of one type. */
  ofType(type: string): JsonLine[];
}

/** A run of the program that is under way. */
export interface RunningCli {
  readonly child: ChildProcess;
  /** Resolves as soon as a stream holds the text; rejects when the program ends without it. */
  saw(stream: 'stdout' | 'stderr', text: string): Promise<void>;
  /** The end of the run, with everything it has printed. */
  readonly ended: Promise<CliRun>;
}

/** Starts the real program. Its environment is empty but for what is given here. */
export function startTrueup(args: readonly string[], options: CliOptions = {}): RunningCli {
  const folder = makeFolder('cli');
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: options.cwd ?? folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      // Whatever goes wrong, no server and no file comes into the project's folder.
      HOME: folder,
      TRUEUP_HOME: join(folder, 'home'),
      ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      for (const look of watchers) look();
    });
  }
  if (options.closeStdout === true) child.stdout.destroy();
  const ended = new Promise<CliRun>((settle, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      rmSync(folder, { recursive: true, force: true });
      settle(endedRun(status, output));
    });
  });
  const saw: RunningCli['saw'] = (stream, text) =>
    new Promise((settle, reject) => {
      const look = (): void => {
        if (!output[stream].includes(text)) return;
        watchers.delete(look);
        settle();
      };
      watchers.add(look);
      look();
      ended.then((run) => {
        reject(new Error(`it ended without ${JSON.stringify(text)}: ${run.stdout}${run.stderr}`));
      }, reject);
    });
  return { child, saw, ended };
}

/** Runs the real program to its end. */
export function runTrueup(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return startTrueup(args, options).ended;
}

function endedRun(status: number | null, output: { stdout: string; stderr: string }): CliRun {
  const lines = (): string[] => output.stdout.split('\n').filter((line) => line !== '');
  const json = (): JsonLine[] => lines().map((line) => JSON.parse(line) as JsonLine);
  return {
    status,
    ...output,
    lines,
    json,
    ofType: (type) => json().filter((line) => line['type'] === type),
  };
}

/** A port that somebody listens on, who counts the connections and says nothing. */
export interface CountingPort {
  readonly url: string;
  connections(): number;
  close(): Promise<void>;
}

/** Listens on a port of its own, to see whether a program connects at all. */
export async function countingPort(): Promise<CountingPort> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const port = await new Promise<number>((settle) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      settle(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  return {
    url: `postgres://nobody@127.0.0.1:${String(port)}/nothing`,
    connections: () => connections,
    close: () =>
      new Promise((settle) => {
        server.close(() => {
          settle();
        });
      }),
  };
}

/** Whether somebody listens there; a test that relies on a dead port asks first. */
export function listens(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      settle(true);
    });
    socket.on('error', () => {
      settle(false);
    });
  });
}
