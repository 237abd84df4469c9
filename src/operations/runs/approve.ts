import { randomUUID } from 'node:crypto';
import { TrueupError } from '../../core/errors.js';
import { EXIT, type ExitStatus } from '../../core/exit.js';
import type { Finding } from '../../core/drift.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database } from '../../postgres/database.js';
import { slices } from '../../reconcile/chunks.js';
import { Investigator } from '../../reconcile/evidence.js';
import type { OnLocked } from '../../reconcile/repair-statements.js';
import { approveWallets, type Approved, type NotApproved } from './approve-wallets.js';
import * as statements from './approve-statements.js';
import type { WaitingWallet } from './approve-statements.js';
import { findRun } from './find.js';
import { OnRecord } from './on-record.js';
import { lastOfKinds } from './run-statements.js';

/** What is approved. */
export interface ApproveRequest {
  /** A run: its id, the first characters of it, or `last`: the last run of reconcile. */
  readonly run: string;
  /** These wallets only; or {@link all} that wait. */
  readonly walletIds?: readonly string[] | undefined;
  readonly all?: boolean | undefined;
  /** Stops after the wallets in hand; the others go on waiting. */
  readonly signal?: AbortSignal | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  readonly onLeft?: ((left: NotApproved) => void) | undefined;
}

/** How an approval ended. */
export interface ApproveSummary {
  /** Of the approval itself, which can be undone; where nothing waits, nothing is on record under it. */
  readonly runId: string;
  /** The run that had left the findings. */
  readonly approves: string;
  /** Wallets that were asked for. */
  readonly wallets: number;
  /** Wallets that were repaired. */
  readonly approved: number;
  /** Caches that were repaired. */
  readonly repaired: number;
  /** Wallets that were in sync by now. */
  readonly inSync: number;
  /** Wallets that go on waiting: they differ otherwise by now, or were refused by the database. */
  readonly left: number;
  /** Wallets that others held locked. */
  readonly skipped: number;
  readonly interrupted: boolean;
  readonly seconds: number;
  readonly exitStatus: ExitStatus;
}

/** Wallets of one transaction. */
const CHUNK = 1_000;

/**
 * Repairs what a run has left for people: locked, compared again, and only where it still differs by what was
 * approved. It is a run of its own, which can be undone.
 *
 * @throws TrueupError `run_not_found`, `invalid_argument`, and whatever keeps the whole from going on
 */
export async function approveRun(
  database: Database,
  mapping: ResolvedMapping,
  request: ApproveRequest,
): Promise<ApproveSummary> {
  const { all = false, walletIds = [] } = request;
  if (all === walletIds.length > 0) {
    throw new TrueupError(
      'invalid_argument',
      'what is approved has to be said: all, or walletIds',
      {
        hint: 'Give one of the two. Nothing was changed.',
      },
    );
  }
  const run = await findRun(database, mapping, request.run, (ledger) =>
    lastOfKinds(ledger, ['reconcile']),
  );
  const approval = new Approval(database, mapping, { ...request, run: run.runId });
  return approval.complete();
}

class Approval {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #request: ApproveRequest;
  readonly #runId = randomUUID();
  readonly #record: OnRecord;
  readonly #investigator: Investigator;
  readonly #counts = { wallets: 0, approved: 0, repaired: 0, inSync: 0, left: 0, skipped: 0 };

  constructor(database: Database, mapping: ResolvedMapping, request: ApproveRequest) {
    this.#database = database;
    this.#mapping = mapping;
    this.#request = request;
    this.#investigator = new Investigator(mapping);
    const { run, all = false, walletIds } = request;
    this.#record = new OnRecord(database, {
      ...{ id: this.#runId, kind: 'approve', ledger: mapping.ledger.table.quoted },
      options: { run, ...(all ? { all } : { walletIds }) },
    });
  }

  async complete(): Promise<ApproveSummary> {
    const began = performance.now();
    try {
      const interrupted = await this.#walk();
      const summary = this.#summary(interrupted, performance.now() - began);
      const state = interrupted ? 'interrupted' : 'finished';
      await this.#record.end(summary, { state, error: null });
      return summary;
    } catch (reason) {
      await this.#record.fail(reason);
      throw reason;
    }
  }

  #summary(interrupted: boolean, milliseconds: number): ApproveSummary {
    const { left, skipped } = this.#counts;
    const incomplete = interrupted || skipped > 0;
    return {
      runId: this.#runId,
      approves: this.#request.run,
      ...this.#counts,
      interrupted,
      seconds: Math.round(milliseconds) / 1_000,
      exitStatus: left > 0 ? EXIT.drift : incomplete ? EXIT.incomplete : EXIT.ok,
    };
  }

  /** @returns whether it was interrupted */
  async #walk(): Promise<boolean> {
    const { run, walletIds } = this.#request;
    const asked = walletIds === undefined ? null : new Set(walletIds);
    const only = asked === null ? null : [...asked];
    for (let above = ''; ;) {
      const waiting = await this.#database.query<WaitingWallet>(
        statements.waitingWallets(run, { above, limit: CHUNK, only }),
      );
      const last = waiting.at(-1);
      if (last === undefined) break;
      if (this.#request.signal?.aborted === true) return true;
      await this.#record.begin();
      this.#counts.wallets += waiting.length;
      for (const { walletId } of waiting) asked?.delete(walletId);
      await this.#approve(waiting);
      above = last.walletId;
    }
    for (const walletId of asked ?? []) {
      this.#counts.wallets += 1;
      const message = `nothing of it waits for approval in run ${run}`;
      this.#leave({ walletId, userId: null, code: 'not_waiting', message });
    }
    return false;
  }

  /** Whoever is locked is tried once more, alone and with some patience. */
  async #approve(waiting: readonly WaitingWallet[]): Promise<void> {
    const locked = new Set(await this.#try(waiting, 'skip'));
    const later = waiting.filter(({ walletId }) => locked.has(walletId));
    for (const [one] of slices(later, 1)) {
      if (one === undefined || (await this.#try([one], 'wait')).length === 0) continue;
      const { walletId, userId } = one;
      const message = 'another transaction holds the wallet or its profile, or it is gone';
      this.#leave({ walletId, userId, code: 'locked', message });
    }
  }

  /** @returns the wallets that somebody else holds */
  async #try(waiting: readonly WaitingWallet[], onLocked: OnLocked): Promise<string[]> {
    const parts = { runId: this.#runId, investigator: this.#investigator, onLocked };
    const outcomes = await approveWallets(this.#database, this.#mapping, waiting, parts);
    for (const outcome of outcomes) this.#conclude(outcome);
    return outcomes.flatMap(({ locked }) => locked);
  }

  #conclude({ repaired, inSync, left }: Approved): void {
    this.#counts.approved += repaired.length;
    this.#counts.inSync += inSync;
    for (const findings of repaired) {
      this.#counts.repaired += findings.filter((finding) => finding.repaired).length;
      for (const finding of findings) this.#request.onFinding?.(finding);
    }
    for (const one of left) this.#leave(one);
  }

  #leave(left: NotApproved): void {
    if (left.code === 'locked') this.#counts.skipped += 1;
    else this.#counts.left += 1;
    this.#request.onLeft?.(left);
  }
}
