import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BYPASSES, replicated } from '../support/bypass-faults.js';
import { createDatabase } from '../support/database.js';
import { FAULTS } from '../support/fault-list.js';
import { MECHANISMS, play, SETTING_NAMES } from '../support/mechanisms.js';
import { privateServer } from '../support/private-server.js';

/**
 * Which mechanism catches which fault: played, and held against docs/faults.md. With
 * TRUEUP_WRITE_DOCS=1 the file is written from what was seen.
 */

const FILE = resolve(import.meta.dirname, '../../docs/faults.md');
const db = await createDatabase('empty');
const logical = await privateServer({ wal_level: 'logical' });
const ALL = [
  ...FAULTS,
  ...BYPASSES,
  replicated(await logical.database(), await logical.database()),
];
const seen = new Map<string, readonly string[]>();

test('where nothing is wrong, no mechanism says that anything is', async () => {
  const calm = { name: 'nothing', inject: () => Promise.resolve() };
  for (const setting of SETTING_NAMES) {
    const said = [...(await play(calm, setting, db))].filter(([, word]) => word !== '');
    expect(said).toEqual(setting === 'adopted tables' ? [['sync trigger', 'prevents']] : []);
  }
});

test.each(ALL)('$name: something catches it', async (fault) => {
  const cells = new Map<string, string>();
  for (const setting of SETTING_NAMES) {
    for (const [name, word] of await play(fault, setting, db)) cells.set(name, word);
  }
  const row = MECHANISMS.map(({ name }) => cells.get(name) ?? '');
  expect(row.join('')).not.toBe('');
  // What nothing has prevented, the scan or doctor finds.
  const [prevented = '', scan = '', doctor = ''] = ['sync trigger', 'reconcile', 'doctor'].map(
    (name) => cells.get(name),
  );
  expect(`${prevented}${scan}${doctor}`).not.toBe('');
  seen.set(fault.name, row);
});

test('docs/faults.md says what was seen', () => {
  const told = document();
  if (process.env['TRUEUP_WRITE_DOCS'] === '1') writeFileSync(FILE, told);
  expect(plain(readFileSync(FILE, 'utf8'))).toBe(plain(told));
});

afterAll(() => {
  seen.clear();
});

function document(): string {
  const header = ['fault', ...MECHANISMS.map(({ name }) => name)];
  const rows = ALL.map(({ name }) => [name, ...(seen.get(name) ?? [])]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return `# Which mechanism catches which fault

Written by a test (\`test/causes/faults.test.ts\`), which plays every fault against every mechanism and
compares this page with what it saw. The mechanisms are in \`test/support/mechanisms.ts\`, the faults in
\`fault-list.ts\` and \`bypass-faults.ts\` beside it.

Append-only is that of Trueup's own tables. The guard was seen on adopted tables, and the fault came from an
application; behind \`records\` is the cause that reconcile names from that record. All others were seen on
adopted tables whose guard lets the fault pass. Under doctor stand the checks that it complains of while
the fault lasts ([doctor.md](doctor.md)), under reconcile the causes that \`trueup reconcile --dry-run\` names
([causes.md](causes.md)); \`refuses\`: it does not work on a part of the ledger.

${[line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')}
`;
}

/** The words without the layout that the formatter gives a table. */
function plain(text: string): string {
  return text.replace(/-{3,}/g, '---').replace(/ +/g, ' ').trim();
}
