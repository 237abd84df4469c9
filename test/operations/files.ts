import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { makeFolder } from '../support/folder.js';

/** A folder for files that are written, and what they hold. */

export interface Folder {
  readonly path: (name: string) => string;
  readonly text: (name: string) => string;
  /** Every file, hidden ones too. */
  readonly names: () => string[];
}

export function folderOfFiles(): Folder {
  const folder = makeFolder('operations-files');
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    path: (name) => join(folder, name),
    text: (name) => readFileSync(join(folder, name), 'utf8'),
    names: () => readdirSync(folder).sort(),
  };
}

/** Reads CSV as RFC 4180 describes it; fails on anything else. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let rest = text;
  while (rest !== '') {
    const match = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest);
    if (match === null) throw new Error(`no CSV: ${rest.slice(0, 100)}`);
    const [whole, quotedText, plain = '', end] = match;
    row.push(quotedText === undefined ? plain : quotedText.replaceAll('""', '"'));
    if (end === '\r\n') {
      rows.push(row);
      row = [];
    }
    rest = rest.slice(whole.length);
  }
  return rows;
}

/** The rows as objects by the names in the first. */
export function csvObjects(text: string): Record<string, string>[] {
  const [names = [], ...rows] = parseCsv(text);
  return rows.map((row) => {
    if (row.length !== names.length) throw new Error(`${String(row.length)} fields`);
    return Object.fromEntries(names.map((name, place) => [name, row[place] ?? '']));
  });
}
