import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';

/** A Django application in a process of its own. */

/** Debian's Python: `npm test` installs Django for it, where it may (scripts/setup-tests.mjs). */
const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'django_writer.py');

/** Whether Django and its PostgreSQL driver are here. */
export const hasDjango =
  spawnSync(PYTHON, ['-c', 'import django, psycopg2'], { stdio: 'ignore' }).status === 0;

/** What a writer has committed. */
export interface Written {
  readonly entries: number;
  readonly coins: number;
}

/** A writer that is connected and waits. */
export interface ReadyWriter {
  readonly name: string;
  begin(): Promise<Written>;
}

/**
 * Starts the application and waits until it is connected.
 *
 * @param rounds how many things it does; a negative number: so many saves of stale wallets
 */
export async function startDjango(
  scheme: 'own' | 'deltacrown',
  url: string,
  work: { rounds: number; seed: number; wallets: readonly string[] },
): Promise<ReadyWriter> {
  const { host, port, user, password, database } = new pg.Client({ connectionString: url });
  const args = [
    SCRIPT,
    scheme,
    database ?? '',
    String(work.rounds),
    String(work.seed),
    ...work.wallets,
  ];
  const child = spawn(PYTHON, args, {
    env: {
      PATH: process.env['PATH'] ?? '',
      PYTHONDONTWRITEBYTECODE: '1',
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user ?? '',
      PGPASSWORD: typeof password === 'string' ? password : '',
    },
  });
  let said = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const ended = new Promise<number | null>((settle) => child.once('close', settle));
  const ready = new Promise<void>((settle) => {
    child.stdout.on('data', () => {
      if (said.startsWith('ready\n')) settle();
    });
  });
  if ((await Promise.race([ready.then(() => 'ready'), ended])) !== 'ready')
    throw new Error(complaints);
  return {
    name: 'Django',
    begin: async () => {
      child.stdin.end('go\n');
      if ((await ended) !== 0) throw new Error(complaints);
      return JSON.parse(said.slice('ready\n'.length)) as Written;
    },
  };
}
