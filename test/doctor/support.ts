import { expect } from 'vitest';
import {
  examineDatabase,
  type CheckId,
  type DoctorFinding,
  type DoctorOptions,
  type Level,
  type Mapping,
} from '../../src/index.js';
import { runTrueup } from '../support/cli.js';
import type { TestDatabase } from '../support/database.js';

/** What is examined: one database, one mapping. */
export interface Patient {
  readonly db: TestDatabase;
  readonly config: Mapping;
  /** The mapping as a file, for the program; none for Trueup's own tables. */
  readonly configFile?: string;
}

/** The lines of one check. */
export async function linesOf(
  { db, config }: Patient,
  id: CheckId,
  options: DoctorOptions & { databaseUrl?: string } = {},
): Promise<DoctorFinding[]> {
  const report = await examineDatabase({ databaseUrl: db.url, config, ...options });
  return report.findings.filter((finding) => finding.id === id);
}

/** Everything that is not well, as `level id`. */
export async function complaints(
  { db, config }: Patient,
  options: DoctorOptions & { databaseUrl?: string } = {},
): Promise<string[]> {
  const report = await examineDatabase({ databaseUrl: db.url, config, ...options });
  return report.findings
    .filter(({ level }) => level !== 'ok' && level !== 'info')
    .map(({ level, id, what }) => `${level} ${id}: ${what}`);
}

/** Does what doctor printed: SQL, statement by statement, or commands of trueup. */
export async function apply(patient: Patient, remedy: string | null): Promise<void> {
  if (remedy === null) throw new Error('there is no remedy');
  if (!remedy.startsWith('trueup ')) {
    for (const statement of remedy.split(/; (?=[A-Z])/)) await patient.db.run(statement);
    return;
  }
  const { db, configFile } = patient;
  const args = [...remedy.split(' ').slice(1)];
  if (configFile !== undefined) args.push('--config', configFile);
  const run = await runTrueup(args, { databaseUrl: db.url });
  expect(run, remedy).toMatchObject({ status: 0 });
}

/** Installing the triggers closes the gap; what went by in it is told until a whole repair came after. */
async function repair(patient: Patient): Promise<void> {
  const gaps = await linesOf(patient, 'sync_gaps');
  for (const { level, remedy } of gaps) {
    if (level === 'warning') await apply(patient, remedy);
  }
}

/** Sees the check fail, applies every remedy that it prints, and sees it well. */
export async function expectMended(
  patient: Patient,
  id: CheckId,
  level: Level,
  what: RegExp | string,
): Promise<void> {
  const found = await linesOf(patient, id);
  expect(found.map((line) => line.level)).toContain(level);
  const matching = found.filter((line) =>
    typeof what === 'string' ? line.what.includes(what) : what.test(line.what),
  );
  expect(matching, JSON.stringify(found)).not.toEqual([]);
  for (const { remedy } of found) await apply(patient, remedy);
  await repair(patient);
  expect(await linesOf(patient, id)).toMatchObject([{ level: 'ok', remedy: null }]);
}
