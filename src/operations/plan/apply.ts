import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { exitStatusOf } from '../../core/exit.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import { refuseSharedProfiles } from '../../mapping/resolve.js';
import type { Database } from '../../postgres/database.js';
import { judge, railsOf, type Verdict } from '../../reconcile/rails.js';
import { carryAll, refuseUnseenMarks } from '../../sync/carry.js';
import { noticeGaps } from '../../sync/gaps.js';
import type { ApplySummary, CheckedApplyOptions } from './apply-model.js';
import { Applier } from './applier.js';
import { OnRecord } from '../runs/on-record.js';
import { shellWord } from '../words.js';
import { placeOf, refuseForeign } from './format.js';
import { ofRecord } from '../report/live.js';
import { checkPlan, walletsOf, type CheckedPlan } from './read.js';

/** Wallets that are taken up at a time: enough to be fast, few enough to be in nobody's way. */
const CHUNK = 1_000;

/**
 * Repairs what a plan says, and nothing else: each wallet is locked and compared again, and is written
 * only where every cache and what it should hold are exactly as planned. Whatever has changed since is
 * left and told. The run is on record, kind `apply`, unless it is a dry run.
 *
 * @throws TrueupError `file_unreadable`, `plan_invalid`, `plan_truncated`,
 *   `plan_altered`, `plan_foreign`, and whatever keeps the whole run from going on
 */
export async function applyPlan(
  database: Database,
  mapping: ResolvedMapping,
  options: CheckedApplyOptions,
): Promise<ApplySummary> {
  const began = performance.now();
  const plan = await checkPlan(options.file);
  refuseForeign(plan.header, await placeOf(database, mapping));
  await refuseSharedProfiles(database, mapping);
  await refuseUnseenMarks(database, mapping);
  const run: Run = { database, mapping, options, plan, began, id: randomUUID() };
  if (options.dryRun) return follow(run);
  // Begun before the run: what cannot be written stops it before it has done anything.
  const report = options.report === undefined ? undefined : ofRecord(run, options.report);
  const summary = await followOnRecord(run);
  await report?.complete(summary);
  return summary;
}

interface Run {
  readonly id: string;
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedApplyOptions;
  readonly plan: CheckedPlan;
  readonly began: number;
}

async function followOnRecord(run: Run): Promise<ApplySummary> {
  const { database, mapping } = run;
  const record = new OnRecord(database, {
    ...{ id: run.id, kind: 'apply', ledger: mapping.ledger.table.quoted },
    options: optionsOf(run),
  });
  await record.begin();
  try {
    // A marked profile is no drift, and was none when the plan was made.
    await carryAll(database, mapping);
    await noticeGaps(database, mapping);
    const summary = await follow(run);
    const { incomplete, rail } = summary;
    const state =
      incomplete === null ? 'finished' : incomplete === 'rail' ? 'stopped' : 'interrupted';
    await record.end(summary, { state, error: rail?.message ?? null });
    return summary;
  } catch (error) {
    await record.fail(error);
    throw error;
  }
}

/** What is on record of how it was ordered. */
function optionsOf({ options, plan }: Run): object {
  const { maxRepairs, maxRepairRatio, maxDelta, unattended, failOnDrift } = options;
  return {
    ...{ plan: basename(plan.path), checksum: plan.end.checksum },
    ...{ madeAt: plan.header.createdAt, wallets: plan.end.wallets },
    ...{ maxRepairs, maxRepairRatio, unattended, failOnDrift },
    ...(maxDelta === undefined ? {} : { maxDelta: String(maxDelta) }),
  };
}

async function follow(run: Run): Promise<ApplySummary> {
  const { plan, options } = run;
  const rails = railsOf(options);
  const { repairable, checked, largestDelta } = plan.end;
  const verdict =
    rails === null
      ? null
      : judge(rails, {
          suspects: repairable,
          wallets: checked,
          largestDelta: BigInt(largestDelta),
        });
  const applier = new Applier(run);
  if (verdict !== null && !options.dryRun) {
    const override = `trueup reconcile --apply ${shellWord(options.file)} ${verdict.override}`;
    return summaryOf(run, applier, 'rail', { ...verdict, override });
  }
  let batch: Parameters<Applier['apply']>[0][number][] = [];
  for await (const wallet of walletsOf(plan)) {
    batch.push(wallet);
    if (batch.length < CHUNK) continue;
    await applier.apply(batch);
    batch = [];
    if (options.signal?.aborted === true) return summaryOf(run, applier, 'interrupted', null);
  }
  await applier.apply(batch);
  return summaryOf(run, applier, null, null);
}

function summaryOf(
  { id, options, plan, began }: Run,
  { tally, changed, inSync }: Applier,
  incomplete: ApplySummary['incomplete'],
  rail: Verdict | null,
): ApplySummary {
  const skipped = tally.skipped - changed;
  return {
    ...{ runId: id, dryRun: options.dryRun, ...tally, skipped },
    ...{ planned: plan.end.wallets, changed, inSync },
    seconds: Math.round(performance.now() - began) / 1000,
    incomplete,
    rail,
    exitStatus: exitStatusOf(tally, {
      incomplete: incomplete !== null,
      failOnDrift: options.failOnDrift ?? false,
      rail: rail !== null,
    }),
  };
}
