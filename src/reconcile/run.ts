import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import type { Database } from '../postgres/database.js';
import { carryAll, refuseUnseenMarks } from '../sync/carry.js';
import { noticeGaps } from '../sync/gaps.js';
import { BEGINNING, type Checkpoint } from './checkpoint.js';
import { walletCount } from './detect-statements.js';
import { Investigator } from './evidence.js';
import { fingerprintOf } from './fingerprint.js';
import { planIncremental, type IncrementalPlan, type NoPlan } from './incremental.js';
import { Foresight } from './foresight.js';
import type { Lease } from './lease.js';
import { Mender } from './mender.js';
import {
  checkOptions,
  DEFAULT_CYCLE,
  type CheckedOptions,
  type ReconcileOptions,
} from './options.js';
import { watchWriters } from './other-writers.js';
import { paceOf } from './pace.js';
import { railsOf } from './rails.js';
import { findResumable, RunRecord } from './record.js';
import { asRecorded, withRecorded } from './recorded-options.js';
import { Reporter } from './reporter.js';
import { Stages, type StagesEnd, type StagesOptions } from './stages.js';
import { concludeRun, scopeOf, summaryOf, type AtEnd, type ReconcileSummary } from './summary.js';
import { holdingOf, tiersOf } from './tiers.js';
import { walletsOf } from './users.js';
import { settledSince } from './verification.js';
import { verifiedFacts } from './verified.js';
import { listLost, lostConnection, warnOfLag, warnOfWhole, warnWithoutSync } from './warnings.js';
import { takeBase } from './watermark.js';

/**
 * One run of reconcile: finds every cache that is not what the ledger says, and (unless it is a dry
 * run) repairs it. Detection takes no lock; only suspects are locked, compared again, and repaired.
 *
 * A run that repairs is a row of trueup.runs, which only one process holds; it can be resumed.
 *
 * @param version of Trueup, for the record of the run
 * @param atEnd what is committed together with the end of a run on record
 * @throws TrueupError `invalid_argument`, `user_not_found`, `wallet_not_found`, `mapping_mismatch`,
 *   `run_under_way`, `run_lost`, `database_read_only`; to resume `run_not_found`, `run_not_resumable`,
 *   `run_changed`; and whatever keeps the whole run from going on
 */
export async function reconcile(
  database: Database,
  mapping: ResolvedMapping,
  options: ReconcileOptions,
  version: string,
  atEnd?: AtEnd,
): Promise<ReconcileSummary> {
  const checked = checkOptions(options);
  const began = performance.now();
  await refuseSharedProfiles(database, mapping);
  await refuseUnseenMarks(database, mapping);
  return checked.dryRun
    ? report({ database, mapping, options: checked, began })
    : repair({ database, mapping, options: checked, began, atEnd }, version);
}

interface Run {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedOptions;
  readonly began: number;
  readonly atEnd?: AtEnd | undefined;
}

/** Looks and tells, and writes nothing, not even a record of the run. */
async function report(run: Run): Promise<ReconcileSummary> {
  const { database, mapping } = run;
  const walletIds = await selectionOf(run);
  const reporter = new Reporter(run.options);
  const parts = await partsOf(run, reporter, walletIds);
  const { from, plan, end: ended } = await planOf(run, parts, BEGINNING);
  const rails = railsOf(run.options);
  const foresight = rails === null ? undefined : new Foresight(rails);
  const stages = new Stages({ ...(await withPlan(run, parts, plan)), from, foresight });
  const end = ended ?? (await stages.run());
  const verified = await verifiedFacts(database, mapping, from);
  const { tally } = reporter;
  const foreseen = foresight?.verdict(tally.checked);
  return summaryOf(run, { tally, end, record: undefined, verified, foreseen });
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
    scope: scopeOf(options),
    unattended: options.unattended ?? false,
    version,
    fingerprint: await fingerprintOf(
      database,
      mapping,
      walletIds ?? (options.sinceCheckpoint ? 'incremental' : 'all'),
    ),
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
  const base =
    walletIds === undefined ? (record.from.base ?? (await takeBase(database, mapping))) : null;
  // A marked profile is no drift. Where no carrier runs, this is the one that carries it.
  await carryAll(database, mapping);
  await noticeGaps(database, mapping);
  await warnWithoutSync(database, mapping, options);
  const since = record.from.since ?? (await settledSince(database));
  const counted = record.resumed === 0 ? {} : (await record.counts()).counts;
  const reporter = new Reporter(options, { ...counted, checked: record.from.checked });
  const parts = await partsOf(run, reporter, walletIds, record.lease);
  const { onLost } = parts;
  const mender = new Mender({
    ...{ walk: parts.walk, runId: record.id, reporter, signal: options.signal, onLost },
    holding: holdingOf(options),
    jobs: options.jobs,
    others: await watchWriters(database),
  });
  const { from, plan, end: ended } = await planOf(run, parts, { ...record.from, since, base });
  const stages = new Stages({
    ...(await withPlan(run, parts, plan)),
    from,
    repair: { record, mender, rails: railsOf(options) },
  });
  const end: StagesEnd = ended ?? (await stages.run());
  return concludeRun(run, { record, end, point: stages.point, walletIds, plan });
}

async function partsOf(
  { database, mapping, options }: Run,
  reporter: Reporter,
  walletIds: readonly string[] | undefined,
  lease?: Lease,
): Promise<Omit<StagesOptions, 'from'>> {
  // An incremental run learns later how many it looks at.
  const wallets =
    walletIds?.length ?? (options.sinceCheckpoint ? 0 : await countWallets(database, mapping));
  const measured = !options.dryRun && railsOf(options) !== null;
  return {
    walk: {
      database,
      mapping,
      investigator: new Investigator(mapping),
      detailed: options.dryRun,
      measured,
      negatives: tiersOf(options) !== null,
    },
    options,
    pace: paceOf(options, { database, lease, onPause: options.onPause }),
    reporter,
    walletIds,
    total: totalOf(options, reporter, wallets),
    onLost: lostConnection(options),
  };
}

/** The list of an incremental run; every other one has none. */
async function planOf(
  { database, mapping, options }: Run,
  { walk, pace, onLost }: Omit<StagesOptions, 'from'>,
  given: Checkpoint,
): Promise<{ from: Checkpoint; plan?: IncrementalPlan; end?: NoPlan['end'] }> {
  if (options.userIds !== undefined) return { from: given };
  const base = given.base ?? (await takeBase(database, mapping));
  const from = { ...given, base };
  warnOfLag(base.watermark, options);
  if (!options.sinceCheckpoint || from.whole !== null) return { from };
  const resumed = from.above !== null || from.listed;
  const { cycle = DEFAULT_CYCLE, jobs, signal } = options;
  const found = await planIncremental({ walk, base, cycle, jobs, pace, signal, onLost, resumed });
  if ('walletIds' in found) return { from, plan: found };
  if (found.whole === undefined)
    return found.end === undefined ? { from } : { from, end: found.end };
  if (resumed) throw listLost(found.whole);
  warnOfWhole(found.whole, options);
  return { from: { ...from, whole: found.whole } };
}

/** With the plan of a run comes how many wallets it looks at. */
async function withPlan(
  { database, mapping, options }: Run,
  parts: Omit<StagesOptions, 'from'>,
  plan: IncrementalPlan | undefined,
): Promise<Omit<StagesOptions, 'from'>> {
  if (!options.sinceCheckpoint) return parts;
  const wallets =
    plan === undefined
      ? await countWallets(database, mapping)
      : plan.walletIds.length + plan.sliceSize;
  return { ...parts, plan, total: totalOf(options, parts.reporter, wallets) };
}

function totalOf({ limit }: CheckedOptions, { tally }: Reporter, wallets: number): number {
  return Math.min(wallets, tally.checked + (limit ?? Number.MAX_SAFE_INTEGER));
}

/** undefined: every wallet, or those that an incremental run finds. */
async function selectionOf({ database, mapping, options }: Run): Promise<string[] | undefined> {
  if (options.userIds === undefined) return undefined;
  return walletsOf(database, mapping, options.userIds);
}

async function countWallets(database: Database, mapping: ResolvedMapping): Promise<number> {
  const [row] = await database.query<{ wallets: string }>(walletCount(mapping));
  return Number(row?.wallets ?? 0);
}
