import { constants } from 'node:fs';
import { access, copyFile, link, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../core/errors.js';
import { TrueupError, type Mapping } from '../index.js';

/** @throws TrueupError `config_exists` */
export async function refuseExisting(file: string, force: boolean): Promise<void> {
  if (force || !(await exists(file))) return;
  throw alreadyThere(file);
}

function alreadyThere(file: string): TrueupError {
  return new TrueupError('config_exists', `${file} is there already; nothing was written`, {
    hint: 'Name another file with --output FILE, or overwrite this one with --force.',
  });
}

/**
 * Writes a mapping file: wholly or not at all, and over an existing one only if told so. Who reads the
 * file meanwhile sees the old one or the new one.
 *
 * @throws TrueupError `config_exists`, `invalid_argument` where the file cannot be written
 */
export async function writeConfig(file: string, mapping: Mapping, force: boolean): Promise<void> {
  // Behind a symbolic link the file is replaced, not the link.
  const target = force && (await exists(file)) ? await realpath(file) : file;
  const draft = join(dirname(target), `.${basename(target)}.${String(process.pid)}.tmp`);
  try {
    await writeWhole(draft, `${JSON.stringify(mapping, null, 2)}\n`);
    if (force) await rename(draft, target);
    else await publish(draft, target);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw alreadyThere(file);
    throw new TrueupError('invalid_argument', `${file} cannot be written: ${messageOf(error)}`, {
      hint: 'Name a file in a folder that exists and may be written to, with --output FILE.',
      cause: error,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w', 0o644);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A hard link fails where the name is taken, in one step; some file systems have none. */
async function publish(draft: string, target: string): Promise<void> {
  try {
    await link(draft, target);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EXDEV'].includes(codeOf(error) ?? '')) throw error;
    await copyFile(draft, target, constants.COPYFILE_EXCL);
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw new TrueupError('invalid_argument', `${file} cannot be reached: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
