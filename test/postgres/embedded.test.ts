import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, assert, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openTrueup, OWN_MAPPING } from '../../src/index.js';
import { EmbeddedServer } from '../../src/postgres/embedded/server.js';
import { runTrueup, type CliRun } from '../support/cli.js';
import { makeFolder } from '../support/folder.js';

const ROOT = resolve(import.meta.dirname, '../..');
const DEADLINE = { timeout: 30_000, interval: 10 };

/** A module of the built library, as a program that is run with `node -e` imports it. */
function built(file: string): string {
  return JSON.stringify(pathToFileURL(join(ROOT, 'dist', file)).href);
}

/** Joins the server of a folder, says which process it is, and leaves when its input ends. */
const MEMBER = `
  import { once } from 'node:events';
  import { EmbeddedServer } from ${built('postgres/embedded/server.js')};
  const server = await EmbeddedServer.join(process.argv[1]);
  console.log('joined ' + server.pid);
  await once(process.stdin.resume(), 'end');
  await server.leave();`;

const FORGETFUL = `
  import { openTrueup } from ${built('index.js')};
  await openTrueup({ home: process.argv[1], databaseUrl: '', healer: false });
  console.log('open');`;

/** Posts for ever, and says how many postings were acknowledged. */
const POSTER = `
  import { openTrueup } from ${built('index.js')};
  const trueup = await openTrueup({ home: process.argv[1], databaseUrl: '', healer: false });
  const walletId = await trueup.openWallet({ userId: 'player' });
  for (let n = 1; ; n += 1) {
    await trueup.credit({ walletId, amount: 1n, reason: 'winner' });
    console.log('posted ' + n);
  }`;

/** A node program that a test has started; `ended` is its exit status, or null after a signal. */
interface Program {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

let folder = '';
let home = '';
const programs: Program[] = [];
const clients: pg.Client[] = [];
/** Folders outside the test's own in which the server keeps files. */
const elsewhere: string[] = [];

beforeAll(() => {
  // The programs below use dist; without a change in src this does nothing.
  const setup = spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: ROOT, encoding: 'utf8' });
  expect(setup).toMatchObject({ status: 0 });
});

beforeEach(() => {
  folder = makeFolder('embedded');
  home = join(folder, 'home');
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  for (const program of programs.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
  for (const place of [home, ...elsewhere.splice(0), folder]) {
    await endServer(place);
    fs.rmSync(place, { recursive: true, force: true });
  }
});

function pidFile(place = home): string {
  return join(place, 'data', 'postmaster.pid');
}

/** The process that the server's pid file names; a server that ends removes the file. */
function serverPid(place = home): number | undefined {
  if (!fs.existsSync(pidFile(place))) return undefined;
  return Number.parseInt(fs.readFileSync(pidFile(place), 'utf8'), 10);
}

/** What a test that failed has left running. */
async function endServer(place: string): Promise<void> {
  const pid = serverPid(place);
  if (pid === undefined || pid === process.pid) return; // One test writes its own number there.
  process.kill(pid, 'SIGINT');
  await vi.waitUntil(() => serverPid(place) === undefined, DEADLINE);
}

/** Starts a program, and returns when it has said what is expected. */
async function run(script: string, expected: RegExp): Promise<Program> {
  const args = ['--input-type=module', '-e', script, home];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const program = { process: child, output: () => said, ended };
  programs.push(program);
  await vi.waitUntil(() => {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
    return expected.test(said);
  }, DEADLINE);
  return program;
}

function member(): Promise<Program> {
  return run(MEMBER, /joined \d+\n/);
}

function leave(program: Program): Promise<number | null> {
  program.process.stdin?.end();
  return program.ended;
}

/** A plain connection. By its name it counts as one of Trueup's, unless a test says otherwise. */
async function plain(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const byHand = { host: join(home, 'run'), user: 'trueup', database: 'postgres' };
  const client = new pg.Client({ application_name: 'trueup test', ...byHand, ...config });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

async function valueOf(client: pg.Client, text: string): Promise<unknown> {
  const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
  return rows[0]?.[0];
}

/** Joins, keeps a row there, leaves, joins again, and finds it. */
async function provesItself(place = home): Promise<void> {
  const first = await EmbeddedServer.join(home);
  const writer = await plain(await first.connection('shop'));
  expect(await valueOf(writer, 'SHOW data_directory')).toBe(join(place, 'data'));
  await writer.query('CREATE TABLE coins (amount bigint); INSERT INTO coins VALUES (494)');
  await first.leave();
  expect(serverPid(place)).toBeUndefined();

  const second = await EmbeddedServer.join(home);
  const reader = await plain(await second.connection('shop'));
  expect(await valueOf(reader, 'SELECT amount FROM coins')).toBe('494');
  await second.leave();
  expect(serverPid(place)).toBeUndefined();
}

describe('a server of its own', () => {
  test('the first start makes a cluster, and data survive a clean stop', async () => {
    await provesItself();
    expect(fs.readdirSync(home).sort()).toEqual(['data', 'run', 'server.log']);
  });

  test('nobody else can reach it: no TCP, and a socket folder for its user alone', async () => {
    const server = await EmbeddedServer.join(home);
    const client = await plain(await server.connection('shop'));
    expect(await valueOf(client, 'SHOW listen_addresses')).toBe('');
    expect(await valueOf(client, 'SHOW unix_socket_directories')).toBe(join(home, 'run'));
    expect(fs.lstatSync(join(home, 'run')).mode & 0o777).toBe(0o700);
    expect(fs.lstatSync(join(home, 'run', '.s.PGSQL.5432')).mode & 0o777).toBe(0o700);
    await server.leave();
  });

  test('a folder whose path is too long for a socket works', async () => {
    home = join(folder, 'long-'.repeat(10), 'long-'.repeat(10), 'home');
    const server = await EmbeddedServer.join(home);
    const { host = '' } = await server.connection('postgres');
    elsewhere.push(host);
    expect(host).not.toContain(home);
    expect(fs.lstatSync(host).mode & 0o777).toBe(0o700);
    await server.leave();
    await provesItself();
  });

  test.skipIf(process.getuid?.() !== 0)('for root only: so does a private one', async () => {
    fs.chmodSync(folder, 0o700);
    // Where it is kept instead. A later version that looks elsewhere would lose everybody's data.
    const name = createHash('sha256').update(home).digest('hex').slice(0, 12);
    elsewhere.push(join('/var/tmp/trueup-root', name));
    await provesItself(elsewhere[0]);
  });

  test('an unusable folder is an error that says what to do', async () => {
    const file = join(folder, 'file');
    fs.writeFileSync(file, '');
    await expect(EmbeddedServer.join(join(file, 'home'))).rejects.toMatchObject({
      name: 'TrueupError',
      code: 'embedded_failed',
      message: expect.stringContaining(file) as string,
      hint: expect.stringContaining('TRUEUP_HOME') as string,
    });
  });

  test('so is one where no folder can be made, which Node tries for ever', async () => {
    await expect(EmbeddedServer.join('/proc/nope/home')).rejects.toMatchObject({
      code: 'embedded_failed',
      message: expect.stringContaining('/proc/nope/home') as string,
    });
  });
});

describe('company', () => {
  test('others join the running server, and the last one to leave stops it', async () => {
    const first = await member();
    const pid = serverPid();
    const second = await member();
    expect(second.output()).toBe(first.output());
    expect(await leave(first)).toBe(0);
    expect(serverPid()).toBe(pid);
    expect(await valueOf(await plain(), 'SELECT 1')).toBe(1);
    expect(await leave(second)).toBe(0);
    expect(serverPid()).toBeUndefined();
  });

  test('of those who leave at the same time, one stops it', async () => {
    const members = [await member(), await member(), await member()];
    expect(await Promise.all(members.map(leave))).toEqual([0, 0, 0]);
    expect(serverPid()).toBeUndefined();
  });

  test('a stranger keeps it running until he is gone', async () => {
    const first = await EmbeddedServer.join(home);
    const pid = first.pid;
    const stranger = await plain({ application_name: 'psql' });
    await first.leave();
    expect(await valueOf(stranger, 'SELECT 1')).toBe(1);

    const second = await EmbeddedServer.join(home);
    expect(second.pid).toBe(pid);
    await stranger.end();
    const witness = await plain();
    const strangers = `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'psql'`;
    await vi.waitUntil(async () => (await valueOf(witness, strangers)) === 0, DEADLINE);
    await second.leave();
    expect(serverPid()).toBeUndefined();
  });

  test('three programs at once on a fresh folder end with one cluster', async () => {
    const migrate = (): Promise<CliRun> => runTrueup(['migrate'], { env: { TRUEUP_HOME: home } });
    const runs = await Promise.all([migrate(), migrate(), migrate()]);
    expect(runs.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      Array(3).fill({ status: 0, stderr: '' }),
    );
    // Had there been two clusters, both would have been migrated.
    expect(runs.filter(({ stdout }) => stdout.includes('applied 0001'))).toHaveLength(1);
    expect(fs.readdirSync(home).sort()).toEqual(['data', 'run', 'server.log']);
    expect(serverPid()).toBeUndefined();
  });

  test('a program that forgets close() ends by itself, and the next one stops the server', async () => {
    const program = await run(FORGETFUL, /open\n/);
    await vi.waitUntil(() => program.process.exitCode !== null, DEADLINE);
    expect([await program.ended, program.output()]).toEqual([0, 'open\n']);
    const server = await EmbeddedServer.join(home);
    await server.leave();
    expect(serverPid()).toBeUndefined();
  });
});

describe('after a crash', () => {
  test('server and program killed in the middle of writing: what was committed is there', async () => {
    const program = await run(POSTER, /posted 30\n/);
    const pid = serverPid();
    assert(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    program.process.kill('SIGKILL');
    await program.ended;
    const acknowledged = BigInt(
      program
        .output()
        .match(/(?<=posted )\d+(?=\n)/g)
        ?.at(-1) ?? '',
    );

    const trueup = await openTrueup({ home, databaseUrl: '', config: OWN_MAPPING, healer: false });
    const drift = await trueup.getBalanceDrift('1');
    await trueup.close();
    expect(drift.hasDrift).toBe(false);
    // The commit whose reply was lost may have happened or not.
    expect([acknowledged, acknowledged + 1n]).toContain(drift.ledgerBalance);
  });
});
