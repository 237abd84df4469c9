import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_MEANINGS } from '../../src/core/errors.js';
import { REFUSAL_CODES, REFUSAL_MEANINGS } from '../../src/core/posting/refusals.js';

/** docs/errors.md says every code there is, and none that there is not. */

const ROOT = resolve(import.meta.dirname, '../..');
const page = read('docs/errors.md');

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

interface Row {
  readonly code: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** The table under a heading of the page. */
function documented(heading: string): Row[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.matchAll(/^\| `(\w+)` *\|(.+)\|(.+)\|$/gm);
  return [...rows].map(([, code = '', meaning = '', remedy = '']) => ({
    code,
    meaning: meaning.trim(),
    remedy: remedy.trim(),
  }));
}

function codes(rows: readonly Row[]): string[] {
  return rows.map(({ code }) => code);
}

/** Every SQLSTATE of Trueup's own class that SQL in src or sql raises or records. */
function sqlStates(): string[] {
  const files = ['src', 'sql'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sql)$/.test(name))
      .map((name) => join(folder, name)),
  );
  const found = files.flatMap((file) => [...read(file).matchAll(/'(TU\d{3})'/g)]);
  return [...new Set(found.map(([, state = '']) => state))].sort();
}

describe('docs/errors.md', () => {
  test('has every error with its meaning, and no other', () => {
    expect(
      Object.fromEntries(documented('Errors').map(({ code, meaning }) => [code, meaning])),
    ).toEqual(ERROR_MEANINGS);
  });

  test('has every refusal, and no other', () => {
    const rows = documented('Refusals').map(({ code, meaning }) => [code, meaning] as const);
    expect(Object.fromEntries(rows)).toEqual(REFUSAL_MEANINGS);
  });

  test('has the refusals in their order of precedence', () => {
    expect(codes(documented('Refusals'))).toEqual(REFUSAL_CODES);
  });

  test('has every SQLSTATE of the triggers, and no other', () => {
    expect(sqlStates().length).toBeGreaterThan(0);
    expect(codes(documented('SQLSTATEs'))).toEqual(sqlStates());
  });

  test('says of each what to do, and names none twice', () => {
    const rows = ['Errors', 'Refusals', 'SQLSTATEs'].flatMap(documented);
    expect(rows.filter(({ meaning, remedy }) => meaning === '' || remedy === '')).toEqual([]);
    expect(new Set(codes(rows)).size).toBe(rows.length);
  });
});
