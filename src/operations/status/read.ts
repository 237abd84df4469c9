import { read, readWhole, shape } from '../../core/arguments.js';
import { total } from '../../core/amount.js';
import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { overrideOf } from '../runs/override.js';
import { judge, UNREPAIRABLE, type Facts, type Whose } from './judge.js';
import type {
  OpenFindings,
  Review,
  RunCounts,
  RunUnderWay,
  Status,
  StatusOptions,
  StatusRun,
  Verified,
} from './model.js';
import * as statements from './status-statements.js';

/** One moment for all of it, and never in anybody's way. */
const READING = {
  readOnly: true,
  settings: {
    transaction_isolation: 'repeatable read',
    lock_timeout: '1s',
    statement_timeout: '30s',
  },
} as const;

/** A nightly run that began two hours late is no reason to wake anybody. */
const DEFAULT_MAX_AGE = 26 * 3600;
const DEFAULT_CYCLE = 7 * 86_400;

const LONGEST = 10 * 366 * 86_400;

const OPTIONS = shape<StatusOptions>('the options of status', {
  maxAge: readWhole(1, LONGEST),
  cycle: readWhole(1, LONGEST),
});

/** @throws TrueupError `invalid_argument` */
export function checkStatusOptions(
  given: StatusOptions,
): Required<Record<keyof StatusOptions, number>> {
  const { maxAge = DEFAULT_MAX_AGE, cycle = DEFAULT_CYCLE } = read(OPTIONS, given);
  return { maxAge, cycle };
}

/**
 * Tells how a ledger is, from Trueup's records alone: no wallet and no entry is read, so it costs next
 * to nothing whatever the size. SELECT on the tables of the schema `trueup` is enough.
 *
 * @throws TrueupError `invalid_argument`, `permission_denied` with the GRANT that is missing,
 *   `schema_missing` where an older Trueup made the tables
 */
export async function readStatus(
  database: Database,
  mapping: ResolvedMapping,
  given: StatusOptions,
): Promise<Status> {
  const options = checkStatusOptions(given);
  const ledger = mapping.ledger.table.quoted;
  const facts = await database.transaction(async (session) => {
    const exists = await refuseBlind(session);
    return exists ? gather(session, ledger, options) : nothing(session, ledger, options);
  }, READING);
  const { unrecorded, critical, unrepairable, ...told } = facts;
  return { ...told, ...judge({ ...told, unrecorded, critical, unrepairable }) };
}

/** @returns whether there are records at all */
async function refuseBlind(session: Queryable): Promise<boolean> {
  const [place] = await session.query<statements.PlaceRow>(statements.place);
  if (place?.schemaExists !== true) return false;
  const { missing, unreadable, role } = place;
  if (unreadable !== null && unreadable.length > 0) {
    throw new TrueupError(
      'permission_denied',
      `role ${role} may not read ${unreadable.map((name) => `trueup.${name}`).join(', ')}`,
      {
        hint: `GRANT USAGE ON SCHEMA trueup TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA trueup TO ${role}`,
      },
    );
  }
  if (missing === null) return true;
  throw new TrueupError(
    'schema_missing',
    `an older Trueup made the tables of this database: there is no trueup.${missing.join(', no trueup.')}`,
    { hint: 'Run trueup migrate.' },
  );
}

type Options = ReturnType<typeof checkStatusOptions>;

async function gather(session: Queryable, ledger: string, options: Options): Promise<Facts> {
  const { at } = await one<statements.NowRow>(session, statements.now);
  const runs = await session.query<statements.RunRow>(statements.latestRuns(ledger));
  const open = await session.query<statements.OpenRow>(statements.openFindings(ledger));
  const waiting = await one<statements.WaitingRow>(session, statements.waiting(ledger));
  const [holder] = await session.query<statements.HolderRow>(statements.watermarkHolder);
  const ended = runs.find(({ state, dead }) => state !== 'running' || dead);
  const success = runs.find((run) => run.success);
  const lastRun = ended === undefined ? null : toRun(ended);
  const underWay = runs.find(({ state, dead }) => state === 'running' && !dead);
  return {
    ledger,
    at,
    lastRun,
    lastSuccess:
      success === undefined
        ? null
        : { runId: success.runId, at: success.endedAt, age: success.age },
    maxAge: options.maxAge,
    verified: await readVerified(session, ledger, options.cycle),
    open: open as readonly OpenFindings[],
    review: await readReview(session, ledger, open),
    waiting,
    watermark: holder ?? null,
    underWay: underWay === undefined ? null : toUnderWay(underWay, at),
    unrecorded: await unrecorded(session, lastRun),
    critical: await whose(session, ledger, ['critical']),
    unrepairable: await whose(session, ledger, UNREPAIRABLE),
  };
}

/** Of a database that has never seen Trueup. */
async function nothing(session: Queryable, ledger: string, options: Options): Promise<Facts> {
  const { at } = await one<statements.NowRow>(session, statements.now);
  return {
    ledger,
    at,
    lastRun: null,
    lastSuccess: null,
    maxAge: options.maxAge,
    verified: null,
    open: [],
    review: { findings: 0, coins: '0', runs: [] },
    waiting: {
      syncFailures: 0,
      oldestSyncFailureAge: null,
      marks: 0,
      oldestMarkAge: null,
      activityFailures: 0,
      alerts: 0,
    },
    watermark: null,
    underWay: null,
    unrecorded: 0,
    critical: null,
    unrepairable: null,
  };
}

async function one<Row extends object>(
  session: Queryable,
  statement: Parameters<Queryable['query']>[0],
): Promise<Row> {
  const [row] = await session.query<Row>(statement);
  if (row === undefined) throw new Error('a statement that always gives a row gave none');
  return row;
}

function toRun(row: statements.RunRow): StatusRun {
  const { runId, startedAt, endedAt, age, startedBy, host, exitStatus, error } = row;
  return {
    runId,
    state: row.dead ? 'abandoned' : (row.state as StatusRun['state']),
    scope: row.scope as StatusRun['scope'],
    startedAt,
    endedAt,
    age,
    startedBy,
    host,
    exitStatus,
    error,
    override: overrideOf(row.counts),
    counts: toCounts(row.counts),
  };
}

function toUnderWay(row: statements.RunRow, at: Date): RunUnderWay {
  const { runId, startedAt, startedBy, host, process, resumed, waiting } = row;
  return {
    runId,
    scope: row.scope as RunUnderWay['scope'],
    startedAt,
    age: Math.max(0, (at.getTime() - startedAt.getTime()) / 1000),
    startedBy,
    host,
    process,
    resumed,
    checked: wholeOr(row.progress?.['checked'], null),
    total: wholeOr(row.progress?.['total'], null),
    control: row.control as RunUnderWay['control'],
    waiting,
  };
}

/** What an older Trueup did not count is none. */
export function toCounts(counts: Readonly<Record<string, unknown>> | null): RunCounts | null {
  if (counts === null) return null;
  const number = (name: string): number => wholeOr(counts[name], 0);
  const { incomplete } = counts;
  return {
    checked: number('checked'),
    drifted: number('drifted'),
    findings: number('findings'),
    repaired: number('repaired'),
    skipped: number('skipped'),
    errors: number('errors'),
    incomplete: typeof incomplete === 'string' ? incomplete : null,
  };
}

function wholeOr<Other>(value: unknown, other: Other): number | Other {
  return typeof value === 'number' && Number.isFinite(value) ? value : other;
}

async function readVerified(
  session: Queryable,
  ledger: string,
  cycle: number,
): Promise<Verified | null> {
  const { ranges, ...row } = await one<statements.VerifiedRow>(
    session,
    statements.verified(ledger, cycle),
  );
  if (ranges === 0) return null;
  // A ledger without wallets is verified wholly.
  const ratio = row.ofWallets === 0 ? 1 : row.wallets / row.ofWallets;
  return { cycle, ...row, ratio };
}

async function readReview(
  session: Queryable,
  ledger: string,
  open: readonly statements.OpenRow[],
): Promise<Review> {
  const waiting = open.filter(({ state }) => state === 'review');
  if (waiting.length === 0) return { findings: 0, coins: '0', runs: [] };
  const runs = await session.query<{ runId: string }>(statements.runsWithReview(ledger));
  return {
    findings: waiting.reduce((sum, { findings }) => sum + findings, 0),
    coins: waiting.reduce((sum, { coins }) => total(sum, coins) ?? sum, '0'),
    runs: runs.map(({ runId }) => runId),
  };
}

async function whose(
  session: Queryable,
  ledger: string,
  states: readonly string[],
): Promise<Whose | null> {
  const [row] = await session.query<Whose>(statements.whose(ledger, states));
  return row ?? null;
}

/** Runs before findings were kept left only their number. */
async function unrecorded(session: Queryable, run: StatusRun | null): Promise<number> {
  const left = run?.counts === null || run === null ? 0 : run.counts.findings - run.counts.repaired;
  if (run === null || left <= 0) return 0;
  const [row] = await session.query<{ recorded: boolean }>(statements.hasFindings(run.runId));
  return row?.recorded === true ? 0 : left;
}
