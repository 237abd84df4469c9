import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The temporary folder of root may be closed to others (pam_tmpdir makes it so). */
const PLACE = process.getuid?.() === 0 ? '/tmp' : tmpdir();

/**
 * Makes a folder for the files of tests, which they remove. Others may enter it: a server that root
 * starts runs as somebody else, and would keep its files in a place that no test cleans.
 */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(PLACE, `trueup-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}
