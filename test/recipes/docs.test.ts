import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** The code that docs/recipes.md shows is the code that the tests beside this file run. */

const FIXTURES = join(import.meta.dirname, 'fixtures');
const PAGE = readFileSync(join(import.meta.dirname, '../../docs/recipes.md'), 'utf8');

const shown = [...PAGE.matchAll(/^```(?:ts|sql)\n([^]*?)^```$/gm)].map(([, text]) => text);
const tested = readdirSync(FIXTURES).map((file) => ({
  file,
  text: readFileSync(join(FIXTURES, file), 'utf8').replaceAll(
    "'../../../src/index.js'",
    "'trueup'",
  ),
}));

test.each(tested)('$file is shown as it is tested', ({ file, text }) => {
  expect(PAGE).toContain(`\`${file}\``);
  expect(shown).toContain(text);
});

test('nothing else is shown', () => {
  expect(shown).toHaveLength(tested.length);
});

test('the versions are those that are installed', () => {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  const pins: Record<string, string | undefined> = { ...dependencies, ...devDependencies };
  const rows = [...PAGE.matchAll(/^\| \[\w+\]\(#(\w+)\) +\| ([\d.]+) /gm)];
  expect(rows.map(([, name, version]) => [name, version])).toEqual([
    ['pg', pins['pg']],
    ['drizzle', pins['drizzle-orm']],
    ['kysely', pins['kysely']],
    ['knex', pins['knex']],
  ]);
});

test('every fixture has a recipe that is tested', () => {
  const names = tested.map(({ file }) => file);
  for (const name of ['pg', 'drizzle', 'kysely', 'knex']) {
    expect(names).toContain(`${name}.ts`);
    expect(readdirSync(import.meta.dirname)).toContain(`${name}.test.ts`);
  }
});
