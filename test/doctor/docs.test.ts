import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { CHECKS } from '../../src/index.js';

/** docs/doctor.md says every check there is, and none that there is not. */

const page = readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/doctor.md'), 'utf8');
const rows = [...page.matchAll(/^\| `(\w+)` *\| ([^|]+)\| ([^|]+)\| ([^|]+)\|$/gm)].map((row) =>
  row.slice(1).map((cell) => cell.trim()),
);

test('every check with why it matters, in order, and no other', () => {
  expect(rows.map(([id, , why]) => [id, why])).toEqual(Object.entries(CHECKS));
});

test('of each what is looked at, and which levels it has', () => {
  expect(rows.filter(([, looks = '']) => looks.length < 10)).toEqual([]);
  const levels = /^(error|warning|info)(, (warning|info))*$/;
  expect(rows.filter(([, , , level = '']) => !levels.test(level))).toEqual([]);
});
