import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { FAULTS, MECHANISMS, type Fault, type Mechanism } from '../support/mechanisms.js';
import { drift, STAGES } from '../support/stages.js';

/**
 * Which mechanism catches which fault: played, and held against docs/faults.md. With
 * TRUEUP_WRITE_DOCS=1 the file is written from what was seen.
 */

const FILE = resolve(import.meta.dirname, '../../docs/faults.md');
const db = await createDatabase('empty');
const seen = new Map<string, string[]>();

async function play({ inject }: Fault, mechanism: Mechanism): Promise<string> {
  const build = STAGES[mechanism.stage];
  if (build === undefined) throw new Error(`there is no stage ${mechanism.stage}`);
  const stage = await build(db);
  await mechanism.prepare?.(stage);
  const error: unknown = await inject(stage).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return (await mechanism.catches(stage, error)) ? mechanism.verdict : '';
}

/** What a dry run says about it, where nothing has kept it off. */
async function causeOf({ inject }: Fault): Promise<string> {
  const build = STAGES['adopted tables'];
  if (build === undefined) throw new Error('there is no stage');
  const stage = await build(db);
  await inject(stage);
  const causes = new Set((await drift(stage)).map(({ cause }) => `\`${cause}\``));
  return [...causes].join(', ');
}

test.each(FAULTS)('$name: something catches it', async (fault) => {
  const cells: string[] = [];
  for (const mechanism of MECHANISMS) cells.push(await play(fault, mechanism));
  expect(cells.join('')).not.toBe('');
  seen.set(fault.name, [...cells, await causeOf(fault)]);
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
  const header = ['fault', ...MECHANISMS.map(({ name }) => name), 'cause that reconcile names'];
  const rows = FAULTS.map(({ name }) => [name, ...(seen.get(name) ?? [])]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return `# Which mechanism catches which fault

Written by a test (\`test/causes/faults.test.ts\`), which plays every fault against every mechanism and
compares this page with what it saw. The faults and the mechanisms are in \`test/support/mechanisms.ts\`.

Append-only is that of Trueup's own tables; all others were seen on adopted tables whose caches nobody
guards. The last column is what \`trueup reconcile --dry-run\` says where nothing else kept the fault off;
[causes.md](causes.md) explains the words.

${[line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')}
`;
}

/** The words without the layout that the formatter gives a table. */
function plain(text: string): string {
  return text.replace(/-{3,}/g, '---').replace(/ +/g, ' ').trim();
}
