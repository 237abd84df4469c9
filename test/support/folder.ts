import {
  accessSync,
  chmodSync,
  constants,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The temporary folder of root may be closed to others (pam_tmpdir makes it so). */
const PLACE = process.getuid?.() === 0 ? '/tmp' : tmpdir();

/**
 * Makes a folder for the files of tests, which they remove. Others may enter it: a server that root
 * starts runs as somebody else, and would keep its files in a place that no test cleans.
 */
export function makeFolder(name: string, place = PLACE): string {
  const folder = mkdtempSync(join(place, `trueup-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Where Linux keeps files in memory. */
const MEMORY = '/dev/shm';

/** What the tests need there at most, with as much again to spare. */
const ROOM = 8 * 1024 ** 3;

/** The folder of a server in memory says whose it is. */
const OWNED = /^trueup-test-(\d+)-/;

/**
 * Makes a folder for the server of the tests: in memory where there is room, for a tenth of a test run goes
 * into making and removing files on a disk.
 */
export function makeServerFolder(): string {
  const name = `test-${String(process.pid)}`;
  if (!hasRoom(MEMORY)) return makeFolder(name);
  removeLeftovers(MEMORY);
  return makeFolder(name, MEMORY);
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= ROOM;
  } catch {
    return false; // Nothing of that kind here: the disk will do.
  }
}

/** What a test run that was killed has left takes memory. */
function removeLeftovers(place: string): void {
  for (const name of readdirSync(place)) {
    const pid = Number(OWNED.exec(name)?.[1] ?? process.pid);
    const folder = join(place, name);
    if (isAlive(pid) || statSync(folder).uid !== process.getuid?.()) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
