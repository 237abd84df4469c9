import { readFileSync } from 'node:fs';

/** The version of this package. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  const json = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return json.version;
}
