import { read, readList, readText, readWhole, shape, type Reader } from '../core/arguments.js';
import { messageOf, TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { resolveMapping } from '../mapping/resolve.js';
import type { LoadedMapping } from '../mapping/load.js';
import { isOwn } from '../mapping/own.js';
import type { Database, Queryable } from '../postgres/database.js';
import { CHECK_IDS, isCheckId, type CheckId } from './catalogue.js';
import { standing } from '../sync/install.js';
import { readParts } from '../sync/parts.js';
import { expectedTriggers, type ExpectedTrigger } from './expected.js';
import {
  asFindings,
  error,
  exitStatusOf,
  ok,
  unknown,
  type DoctorFinding,
  type DoctorOptions,
  type DoctorReport,
  type Examine,
  type Verdict,
} from './model.js';
import { profileChecks } from './profiles.js';
import { rightChecks } from './rights.js';
import { MIGRATE, migrations, schemaExists } from './schema.js';
import { serverChecks } from './server.js';
import { tableChecks } from './tables.js';
import { triggerChecks } from './triggers.js';
import { workChecks } from './work.js';

/** A check that waits for a lock, or takes this long, is given up: doctor must never be in the way. */
const READING = {
  readOnly: true,
  settings: { lock_timeout: '1s', statement_timeout: '30s' },
} as const;

const DEFAULT_TRANSACTION_SECONDS = 300;

type MappedId = Exclude<CheckId, 'schema' | 'migrations' | 'mapping'>;

const EXAMINES: Readonly<Record<MappedId, Examine>> = {
  ...serverChecks,
  ...triggerChecks,
  ...profileChecks,
  ...tableChecks,
  ...workChecks,
  ...rightChecks,
};

/**
 * Makes every check, in the order of the catalogue. Reads only: each check runs in a transaction of
 * its own in which the database refuses every write. A check that the role may not make, or that
 * finds a table locked, is told as unknown.
 *
 * @throws TrueupError `database_unreachable`, `invalid_argument`
 */
export async function examine(
  database: Database,
  loaded: LoadedMapping,
  options: DoctorOptions = {},
): Promise<DoctorReport> {
  const { skip, transactionSeconds } = checkOptions(options);
  const own = isOwn(loaded.mapping);
  const findings = new Map<CheckId, DoctorFinding[]>();
  const make = async (id: CheckId, check: (session: Queryable) => Promise<readonly Verdict[]>) => {
    if (!skip.includes(id)) findings.set(id, asFindings(id, await attempt(database, check)));
  };
  await make('schema', (session) => schemaExists(session, own));
  await make('migrations', (session) => migrations(session, own));
  const mapping = await resolve(database, loaded);
  findings.set('mapping', asFindings('mapping', [mapping.verdict]));
  if (mapping.resolved !== undefined) {
    const fixed = {
      mapping: mapping.resolved,
      own,
      expected: await expectedOn(database, mapping.resolved),
      transactionSeconds,
    };
    for (const id of CHECK_IDS) {
      if (!isMapped(id)) continue;
      await make(id, (session) => EXAMINES[id]({ ...fixed, session }));
    }
  }
  const all = CHECK_IDS.flatMap((id) => findings.get(id) ?? []);
  return {
    ledger: mapping.resolved?.ledger.table.quoted ?? null,
    findings: all,
    exitStatus: exitStatusOf(all),
  };
}

/** A role that may not read what was installed is told so by the check of the waiting failures. */
async function expectedOn(
  database: Database,
  mapping: ResolvedMapping,
): Promise<readonly ExpectedTrigger[]> {
  const parts = await database.transaction((session) => readParts(session, mapping), READING);
  try {
    const recorded = await database.transaction((session) => standing(session, mapping), READING);
    return expectedTriggers(mapping, parts, recorded ?? undefined);
  } catch (problem) {
    if (!(problem instanceof TrueupError) || problem.code !== 'permission_denied') throw problem;
    return expectedTriggers(mapping, parts);
  }
}

function isMapped(id: CheckId): id is MappedId {
  return id in EXAMINES;
}

const OPTIONS = shape<DoctorOptions>('the options of doctor', {
  skip: readList(readText) as Reader<readonly CheckId[]>,
  transactionSeconds: readWhole(0, Number.MAX_SAFE_INTEGER),
});

function checkOptions(options: DoctorOptions): Required<{
  skip: readonly CheckId[];
  transactionSeconds: number;
}> {
  const { skip = [], transactionSeconds = DEFAULT_TRANSACTION_SECONDS } = read(OPTIONS, options);
  const asked: readonly string[] = skip;
  const stranger = asked.find((id) => !isCheckId(id));
  if (stranger !== undefined) {
    throw new TrueupError('invalid_argument', `doctor has no check ${JSON.stringify(stranger)}`, {
      hint: 'docs/doctor.md has them all.',
    });
  }
  return { skip, transactionSeconds };
}

/** Why a check could not be made, where the database refused; everything else is an error. */
async function attempt(
  database: Database,
  check: (session: Queryable) => Promise<readonly Verdict[]>,
): Promise<readonly Verdict[]> {
  try {
    return await database.transaction(check, READING);
  } catch (problem) {
    if (!(problem instanceof TrueupError)) throw problem;
    if (problem.code !== 'permission_denied' && problem.code !== 'database_failed') throw problem;
    return [unknown(`it could not be checked: ${messageOf(problem)}`, problem.hint ?? null)];
  }
}

async function resolve(
  database: Database,
  loaded: LoadedMapping,
): Promise<{ resolved?: ResolvedMapping; verdict: Verdict }> {
  try {
    const resolved = await database.transaction(
      (session) => resolveMapping(session, loaded),
      READING,
    );
    return { resolved, verdict: ok('it fits the database') };
  } catch (problem) {
    if (!(problem instanceof TrueupError)) throw problem;
    if (problem.code === 'database_unreachable') throw problem;
    const remedy = problem.code === 'schema_missing' ? MIGRATE : (problem.hint ?? null);
    return { verdict: error(problem.message, remedy) };
  }
}
