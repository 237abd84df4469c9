import { spawnSync } from 'node:child_process';
import { TrueupError } from '../../core/errors.js';

/** The operating-system user that the server runs as. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Users that may stand in for root, in order of preference. */
const STAND_INS = ['postgres', 'nobody'];

/**
 * PostgreSQL refuses to run as root, so root starts it as `postgres` or `nobody`; anybody else
 * runs it as himself.
 *
 * @returns undefined when the server runs as the user of this process
 * @throws TrueupError `embedded_failed`
 */
export function serverIdentity(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of STAND_INS) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid };
  }
  throw new TrueupError('embedded_failed', 'PostgreSQL cannot run as root here', {
    hint: 'Create a user named postgres, run as an ordinary user, or set DATABASE_URL.',
  });
}

function idOf(flag: '-u' | '-g', user: string): number | undefined {
  const result = spawnSync('id', [flag, user], { encoding: 'utf8' });
  const id = Number.parseInt(result.stdout, 10);
  return result.status === 0 && Number.isInteger(id) ? id : undefined;
}

/** Whether that user can enter a folder: every folder above it has to let him through. */
export function canEnter(folder: string, identity: Identity): boolean {
  const result = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
    ...identity,
    cwd: '/',
    stdio: 'ignore',
  });
  return result.status === 0;
}
