import { readFileSync } from 'node:fs';
import { ROOT } from './root.js';

/** The version of this package. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const file = new URL('package.json', ROOT);
  const json = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return json.version;
}
