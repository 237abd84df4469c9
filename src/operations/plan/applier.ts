import {
  countUser,
  findingsOf,
  type Comparison,
  type Finding,
  type Tally,
} from '../../core/drift.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { Investigator } from '../../reconcile/evidence.js';
import { settleFindings } from '../../reconcile/record-statements.js';
import { repairHeld, repairWallets, type RepairOutcome } from '../../reconcile/repair.js';
import type { OnLocked } from '../../reconcile/repair-statements.js';
import { Reporter } from '../../reconcile/reporter.js';
import { detailsOf, type Walk } from '../../reconcile/walk.js';
import type { CheckedApplyOptions } from './apply-model.js';
import { departure, isInSync, isWritable } from './confirm.js';
import type { PlanWallet } from './format.js';
import * as statements from './plan-statements.js';
import type { CheckedPlan } from './read.js';

interface Run {
  readonly id: string;
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly options: CheckedApplyOptions;
  readonly plan: CheckedPlan;
}

type Writable = PlanWallet & { readonly walletId: string };

/** Applies the lines of a plan, batch by batch, and counts. */
export class Applier {
  /** Wallets that are not as planned any more; they are among those that the tally has skipped. */
  changed = 0;
  /** Wallets of which nothing is wrong by now; of a dry run also those that are gone. */
  inSync = 0;
  readonly #run: Run;
  readonly #reporter: Reporter;
  readonly #investigator: Investigator;
  readonly #walk: Walk;

  constructor(run: Run) {
    const { database, mapping, options } = run;
    this.#run = run;
    this.#reporter = new Reporter(options);
    this.#investigator = new Investigator(mapping);
    const investigator = this.#investigator;
    this.#walk = {
      ...{ database, mapping, investigator },
      ...{ detailed: true, measured: false, negatives: false },
    };
  }

  get tally(): Tally {
    return this.#reporter.tally;
  }

  async apply(wallets: readonly PlanWallet[]): Promise<void> {
    for (const wallet of wallets) if (!isWritable(wallet)) this.#leave(wallet);
    const planned = new Map(
      wallets.filter(isWritable).map((wallet) => [wallet.walletId, wallet] as const),
    );
    if (planned.size > 0) {
      if (this.#run.options.dryRun) await this.#compare(planned);
      else await this.#repair(planned);
    }
    this.tally.checked += wallets.length;
    this.#reporter.tellProgress(this.#run.plan.end.wallets);
  }

  /** Nothing of it is to be repaired: it is told as the plan has it. */
  #leave({ userId, walletId, profileId, findings }: PlanWallet): void {
    const told = findings.map(({ state, ...finding }): Finding => ({
      ...{ userId, walletId, profileId, ...finding, evidence: {}, repaired: false },
      ...(state === undefined ? {} : { state }),
    }));
    countUser(this.tally, told);
    for (const finding of told) this.#run.options.onFinding?.(finding);
  }

  async #compare(planned: ReadonlyMap<string, Writable>): Promise<void> {
    const details = await detailsOf(this.#walk, [...planned.keys()]);
    for (const [walletId, { findings }] of planned) {
      const row = details.get(walletId);
      const now = row === undefined ? [] : findingsOf(row, { repaired: false });
      const departed = departure(findings, now);
      if (departed === null) this.#reporter.found(now);
      else if (isInSync(now)) this.inSync += 1;
      else this.#change(walletId, row, departed);
    }
    this.#reporter.take();
  }

  /** Whoever is locked is tried once more, with some patience. */
  async #repair(planned: ReadonlyMap<string, Writable>): Promise<void> {
    const first = await this.#attempt([...planned.keys()], 'skip', planned);
    for (const walletId of first.locked) {
      const { locked } = await this.#attempt([walletId], 'wait', planned);
      if (locked.length === 0) continue;
      this.#reporter.skipped({
        ...{ walletId, details: await this.#detailsOf(walletId), code: 'locked' },
        message: 'another transaction holds the wallet or its profile; it was left as it is',
      });
    }
    const { database, mapping, id } = this.#run;
    const left = this.#reporter.take();
    if (left.length === 0) return;
    await database.query(statements.recordLeft(id, mapping.ledger.table.quoted, left));
  }

  async #attempt(
    walletIds: readonly string[],
    onLocked: OnLocked,
    planned: ReadonlyMap<string, Writable>,
  ): Promise<RepairOutcome> {
    const { database, mapping, id } = this.#run;
    const departed = new Map<string, string>();
    const inSync = new Set<string>();
    const outcome = await repairWallets(database, mapping, walletIds, {
      ...{ runId: id, onLocked, investigator: this.#investigator },
      repair: (session, held) =>
        this.#repairAsPlanned(session, held, planned, { departed, inSync }),
    });
    for (const findings of outcome.found) this.#reporter.found(findings);
    this.inSync += inSync.size;
    for (const [walletId, how] of departed) {
      this.#change(walletId, await this.#detailsOf(walletId), how);
    }
    for (const { walletId, error } of outcome.failed) {
      const details = await this.#detailsOf(walletId);
      this.#reporter.failed({ walletId, details, code: error.code, message: error.message });
    }
    const repaired = outcome.found.flatMap(([one]) => one?.walletId ?? []);
    if (repaired.length > 0) {
      await database.query(settleFindings(id, { kind: 'ids', walletIds: repaired }, false));
    }
    return outcome;
  }

  /**
   * Repairs wallets under their locks, looks at what was written, and takes it back where it is not what
   * was planned. The locks stay, so what is tried again without those is as it was.
   *
   * @param told is told how wallets differ from the plan; of a transaction that is tried again, anew
   */
  async #repairAsPlanned(
    session: Queryable,
    walletIds: readonly string[],
    planned: ReadonlyMap<string, Writable>,
    told: { readonly departed: Map<string, string>; readonly inSync: Set<string> },
  ): Promise<readonly (readonly Finding[])[]> {
    const { mapping, id } = this.#run;
    const { departed, inSync } = told;
    for (const walletId of walletIds) {
      departed.delete(walletId);
      inSync.delete(walletId);
    }
    await session.query(statements.beforeRepair);
    let ids = walletIds;
    while (ids.length > 0) {
      const { found } = await repairHeld(session, mapping, ids, {
        ...{ runId: id, investigator: this.#investigator },
      });
      const byWallet = new Map(found.map((findings) => [findings[0]?.walletId, findings]));
      let wrong = false;
      for (const walletId of ids) {
        const now = byWallet.get(walletId);
        const how = departure(planned.get(walletId)?.findings ?? [], now ?? []);
        if (how === null) continue;
        if (isInSync(now ?? [])) inSync.add(walletId);
        else departed.set(walletId, how);
        wrong ||= now !== undefined;
      }
      if (!wrong) return found;
      await session.query(statements.takeBack);
      ids = ids.filter((walletId) => !departed.has(walletId) && !inSync.has(walletId));
    }
    return [];
  }

  #change(walletId: string, details: Comparison | undefined, how: string): void {
    this.changed += 1;
    this.#reporter.skipped({
      walletId,
      details,
      code: 'changed',
      message: `not as planned: ${how}`,
    });
  }

  async #detailsOf(walletId: string): Promise<Comparison | undefined> {
    return (await detailsOf(this.#walk, [walletId])).get(walletId);
  }
}
