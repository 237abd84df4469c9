import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { carryAll, refuseUnseenMarks } from '../sync/carry.js';
import { noticeGaps } from '../sync/gaps.js';
import { BEGINNING } from './checkpoint.js';
import { walletCount } from './detect-statements.js';
import { Investigator } from './evidence.js';
import { fingerprintOf } from './fingerprint.js';
import { Mender } from './mender.js';
import { checkOptions, type CheckedOptions, type ReconcileOptions } from './options.js';
import { fixedPace } from './pace.js';
import { railsOf } from './rails.js';
import { findResumable, RunRecord } from './record.js';
import { asRecorded, withRecorded } from './recorded-options.js';
import { Reporter } from './reporter.js';
import { Stages, type StagesEnd, type StagesOptions } from './stages.js';
import { concludeRun, summaryOf, type ReconcileSummary } from './summary.js';
import { walletsOf } from './users.js';
import { settledSince } from './verification.js';
import { lostConnection, warnWithoutSync } from './warnings.js';

/**
 * One run of reconcile: finds every cache that is not what the ledger says, and (unless it is a dry
 * run) repairs it. Detection takes no lock; only suspects are locked, compared again, and repaired.
 *
 * A run that repairs is a row of trueup.runs, which only one process holds; it can be resumed.
 *
 * @param version of Trueup, for the record of the run
 * @throws TrueupError `invalid_argument`, `user_not_found`, `wallet_not_found`, `mapping_mismatch`,
 *   `run_under_way`, `run_lost`, `database_read_only`; to resume `run_not_found`, `run_not_resumable`,
 *   `run_changed`; and whatever keeps the whole run from going on
 */
export async function reconcile(
  database: Database,
  mapping: ResolvedMapping,
  options: ReconcileOptions,
  version: string,
): Promise<ReconcileSummary> {
  const checked = checkOptions(options);
  const began = performance.now();
  await refuseSharedProfiles(database, mapping);
  await refuseUnseenMarks(database, mapping);
  return checked.dryRun
    ? report({ database, mapping, options: checked, began })
    : repair({ database, mapping, options: checked, began }, version);
}

interface Run {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedOptions;
  readonly began: number;
}

/** Looks and tells, and writes nothing, not even a record of the run. */
async function report(run: Run): Promise<ReconcileSummary> {
  const walletIds = await selectionOf(run);
  const reporter = new Reporter(run.options);
  const stages = new Stages({ ...(await partsOf(run, reporter, walletIds)), from: BEGINNING });
  const end = await stages.run();
  return summaryOf(run, { tally: reporter.tally, end, record: undefined });
}

/** Looks and repairs, under a lease and on record. */
async function repair(asked: Run, version: string): Promise<ReconcileSummary> {
  const { database, mapping } = asked;
  const { resume } = asked.options;
  const left =
    resume === undefined || resume === false
      ? undefined
      : await findResumable(database, mapping, resume);
  const options = left === undefined ? asked.options : withRecorded(asked.options, left.options);
  const run = { ...asked, options };
  const walletIds = await selectionOf(run);
  const beginning = {
    options: asRecorded(options),
    scope: walletIds === undefined ? ('all' as const) : ('some' as const),
    unattended: options.unattended ?? false,
    version,
    fingerprint: await fingerprintOf(database, mapping, walletIds),
  };
  const record =
    left === undefined
      ? await RunRecord.begin(database, mapping, beginning)
      : await RunRecord.resume(database, mapping, left, beginning);
  try {
    return await repairOnRecord(run, record, walletIds);
  } catch (error) {
    await record.fail(error);
    throw error;
  } finally {
    await record.lease.release();
  }
}

async function repairOnRecord(
  run: Run,
  record: RunRecord,
  walletIds: readonly string[] | undefined,
): Promise<ReconcileSummary> {
  const { database, mapping, options } = run;
  // A marked profile is no drift. Where no carrier runs, this is the one that carries it.
  await carryAll(database, mapping);
  await noticeGaps(database, mapping);
  await warnWithoutSync(database, mapping, options);
  const since = record.from.since ?? (await settledSince(database));
  const counted = record.resumed === 0 ? {} : (await record.counts()).counts;
  const reporter = new Reporter(options, { ...counted, checked: record.from.checked });
  const parts = await partsOf(run, reporter, walletIds);
  const { onLost } = parts;
  const mender = new Mender({
    ...{ walk: parts.walk, runId: record.id, reporter, signal: options.signal, onLost },
  });
  const stages = new Stages({
    ...parts,
    from: { ...record.from, since },
    repair: { record, mender, rails: railsOf(options) },
  });
  const end: StagesEnd = await stages.run();
  return concludeRun(run, { record, end, point: stages.point, walletIds });
}

async function partsOf(
  { database, mapping, options }: Run,
  reporter: Reporter,
  walletIds: readonly string[] | undefined,
): Promise<Omit<StagesOptions, 'from'>> {
  const wallets = walletIds?.length ?? (await countWallets(database, mapping));
  const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
  const measured = !options.dryRun && railsOf(options) !== null;
  return {
    walk: {
      database,
      mapping,
      investigator: new Investigator(mapping),
      detailed: options.dryRun,
      measured,
    },
    options,
    pace: fixedPace(options.batchSize),
    reporter,
    walletIds,
    total: Math.min(wallets, reporter.tally.checked + limit),
    onLost: lostConnection(options),
  };
}

/** undefined: every wallet. */
async function selectionOf({ database, mapping, options }: Run): Promise<string[] | undefined> {
  if (options.userIds === undefined) return undefined;
  return walletsOf(database, mapping, options.userIds);
}

async function countWallets(database: Database, mapping: ResolvedMapping): Promise<number> {
  const [row] = await database.query<{ wallets: string }>(walletCount(mapping));
  return Number(row?.wallets ?? 0);
}
