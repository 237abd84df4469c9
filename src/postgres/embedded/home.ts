import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { TrueupError, messageOf } from '../../core/errors.js';
import { binariesIn, findBinaries, type Binaries } from './binaries.js';
import { canEnter, serverIdentity, type Identity } from './identity.js';

/** Everything the embedded server needs to know about places. */
export interface Home {
  readonly data: string;
  /** The folder of the Unix socket; only the server's user and root can enter it. */
  readonly sockets: string;
  readonly log: string;
  readonly binaries: Binaries;
  readonly identity: Identity | undefined;
}

/**
 * Where root keeps server files when the project lies in a folder that only root can enter (such
 * as /root): the server runs as another user and has to reach them. It survives a reboot.
 */
const SHELTER = '/var/tmp/trueup-root';

/** A Unix socket's whole path may have 107 bytes on Linux, 103 on macOS; its name takes 14. */
const LONGEST_SOCKET_FOLDER = 85;

/**
 * Makes the folders of the embedded server.
 *
 * @param folder where the server's files are kept, usually `.trueup`
 * @throws TrueupError `embedded_failed`
 */
export function prepareHome(folder: string): Home {
  if (process.platform === 'win32') {
    throw new TrueupError('embedded_failed', 'there is no embedded PostgreSQL for Windows here', {
      hint: 'Name a server of your own in DATABASE_URL.',
    });
  }
  try {
    return makeFolders(resolve(folder));
  } catch (error) {
    if (error instanceof TrueupError) throw error;
    throw new TrueupError('embedded_failed', `cannot use ${folder}: ${messageOf(error)}`, {
      hint: 'Run where you may write, set TRUEUP_HOME to another folder, or set DATABASE_URL.',
      cause: error,
    });
  }
}

function makeFolders(folder: string): Home {
  makeFolder(folder);
  const identity = serverIdentity();
  const found = findBinaries();
  const base = identity === undefined || canEnter(folder, identity) ? folder : sheltered(folder);
  const binaries =
    identity === undefined || canEnter(join(found.root, 'bin'), identity) ? found : copyOf(found);
  const sockets = makePrivate(socketFolder(base), identity);
  return { data: join(base, 'data'), sockets, log: makeLog(base, identity), binaries, identity };
}

/**
 * Makes a folder, and those it lies in. Node's own way (`recursive`) tries for ever where a file system says
 * "no such file" of a folder that cannot be made, as /proc does.
 */
function makeFolder(folder: string, mode?: number): void {
  const missing = [folder];
  for (let above = dirname(folder); !existsSync(above); above = dirname(above)) {
    missing.unshift(above);
  }
  for (const one of missing) {
    try {
      mkdirSync(one, { mode });
    } catch (error) {
      // Another program may have been faster; anything else of that name is no folder.
      if (!isFolder(one)) throw error;
    }
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function sheltered(folder: string): string {
  return makeOwned(join(makeOwned(SHELTER), fingerprint(folder)));
}

/** Makes a folder that others may pass through and nobody else may write, and proves that it is so. */
function makeOwned(folder: string): string {
  makeFolder(folder, 0o711);
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new TrueupError('embedded_failed', `${folder} belongs to somebody else`, {
      hint: `Look at who made ${folder}, remove it, and start again.`,
    });
  }
  return folder;
}

/** Copies the programs to where the server's user can reach them; a copy is never half there. */
function copyOf(binaries: Binaries): Binaries {
  const target = join(makeOwned(SHELTER), `postgresql-${fingerprint(binaries.root)}`);
  if (!existsSync(target)) {
    const half = `${target}.${String(process.pid)}`;
    cpSync(binaries.root, half, { recursive: true, verbatimSymlinks: true });
    chmodSync(half, 0o755);
    try {
      renameSync(half, target);
    } catch (error) {
      rmSync(half, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
  }
  return binariesIn(makeOwned(target));
}

function socketFolder(base: string): string {
  const near = join(base, 'run');
  if (Buffer.byteLength(near) <= LONGEST_SOCKET_FOLDER) return near;
  return join(tmpdir(), `trueup-${fingerprint(base)}`);
}

/** Makes a folder that only the server's user (and root) can enter. */
function makePrivate(folder: string, identity: Identity | undefined): string {
  makeFolder(folder, 0o700);
  const owner = identity?.uid ?? process.getuid?.();
  const found = lstatSync(folder);
  if (!found.isDirectory() || (found.uid !== owner && found.uid !== process.getuid?.())) {
    throw new TrueupError('embedded_failed', `${folder} belongs to somebody else`, {
      hint: `Look at who made ${folder}, remove it, and start again.`,
    });
  }
  chmodSync(folder, 0o700);
  if (identity !== undefined) chownSync(folder, identity.uid, identity.gid);
  return folder;
}

function makeLog(base: string, identity: Identity | undefined): string {
  const log = join(base, 'server.log');
  closeSync(openSync(log, 'a', 0o600));
  if (identity !== undefined) chownSync(log, identity.uid, identity.gid);
  return log;
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
