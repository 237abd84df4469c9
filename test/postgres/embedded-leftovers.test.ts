import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, assert, beforeEach, expect, test } from 'vitest';
import { serverIdentity } from '../../src/postgres/embedded/identity.js';
import { EmbeddedServer } from '../../src/postgres/embedded/server.js';
import { makeFolder } from '../support/folder.js';

/** A killed server leaves files behind that name its process; the number may be another's by now. */

let folder = '';
let home = '';
const bystanders: ReturnType<typeof spawn>[] = [];

beforeEach(() => {
  folder = makeFolder('leftovers');
  home = join(folder, 'home');
});

afterEach(() => {
  for (const one of bystanders.splice(0)) one.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A process of the user the server runs as: the server may signal it, so to the server it is alive. */
function bystander(): number {
  const child = spawn('sleep', ['600'], { ...serverIdentity(), cwd: '/', stdio: 'ignore' });
  bystanders.push(child);
  assert(child.pid !== undefined);
  return child.pid;
}

test.each([
  { what: 'a process of the same user that is no server', pid: bystander },
  { what: 'a process of another user', pid: () => process.pid },
  { what: 'a process that has ended', pid: () => spawnSync(process.execPath, ['-v']).pid },
])('files that name $what do not block the start, and nothing is lost', async ({ pid }) => {
  const pidFile = join(home, 'data', 'postmaster.pid');
  const first = await EmbeddedServer.join(home);
  await first.connection('shop');
  const file = readFileSync(pidFile, 'utf8');
  await first.leave();

  // A killed server leaves the state "ready" behind as well.
  const stale = String(pid());
  writeFileSync(pidFile, file.replace(/^\d+/, stale));
  writeFileSync(join(home, 'run', '.s.PGSQL.5432.lock'), `${stale}\n`);

  const second = await EmbeddedServer.join(home);
  expect(String(second.pid)).not.toBe(stale);
  await second.connection('shop');
  await second.leave();
});
