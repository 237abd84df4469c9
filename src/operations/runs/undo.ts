import { randomUUID } from 'node:crypto';
import { TrueupError } from '../../core/errors.js';
import { EXIT, type ExitStatus } from '../../core/exit.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { isFaultOfOneUser, isRetryable, toTrueupError } from '../../postgres/failures.js';
import { isAtWork } from '../../reconcile/lease-statements.js';
import type { OnLocked } from '../../reconcile/repair-statements.js';
import { lockUsers, REPAIRING } from '../../reconcile/repair.js';
import { findRun } from './find.js';
import { OnRecord } from './on-record.js';
import { lastOfKinds, type RunRow } from './run-statements.js';
import * as statements from './undo-statements.js';
import type { Changes, RepairedWallet, UndoneRun, Undoing } from './undo-statements.js';

/** What is to be undone. */
export interface UndoRequest {
  /** A run: its id, the first characters of it, or `last`. */
  readonly run: string;
  /** Say what would be done, and write nothing. */
  readonly dryRun?: boolean | undefined;
  /** Stops after the wallets in hand; doing it again goes on. */
  readonly signal?: AbortSignal | undefined;
  readonly onLeft?: ((left: UndoLeft) => void) | undefined;
}

/** A wallet that was left as it is. */
export interface UndoLeft {
  readonly walletId: string;
  readonly userId: string | null;
  /** moved_on: a cache holds something else by now. opening_entry: the ledger has it. */
  readonly code: 'moved_on' | 'opening_entry' | 'locked' | 'gone' | 'refused';
  readonly message: string;
}

/** How an undo ended. */
export interface UndoSummary {
  /** Of the undo itself, under which it can be undone in turn; of a dry run nothing is on record under it. */
  readonly runId: string;
  /** The run that was undone. */
  readonly undoes: string;
  readonly dryRun: boolean;
  /** Wallets that the run had repaired, but those of an earlier undo. */
  readonly wallets: number;
  readonly undone: number;
  /** Wallets that were left because they have moved on, are gone, or were refused by the database. */
  readonly left: number;
  /** Wallets that others held locked. */
  readonly skipped: number;
  readonly interrupted: boolean;
  readonly seconds: number;
  readonly exitStatus: ExitStatus;
}

/** Wallets of one transaction. */
const CHUNK = 1_000;

/** It is the victim of every conflict: whoever stands behind it in the queue waits as well. */
const SETTINGS = { lock_timeout: '250ms' } as const;

/**
 * Gives caches back what a run had replaced, in the opposite direction through the same locks. A wallet
 * in which anything holds something else by now is left. The ledger disagrees with the result: the next
 * reconcile will find it.
 *
 * @throws TrueupError `run_not_found`, `invalid_argument`, `run_under_way`, and whatever keeps the whole from
 *   going on
 */
export async function undoRun(
  database: Database,
  mapping: ResolvedMapping,
  request: UndoRequest,
): Promise<UndoSummary> {
  const began = performance.now();
  // Whoever undoes the last run twice does not ask for a repair.
  const run = await findRun(database, mapping, request.run, (ledger) =>
    lastOfKinds(ledger, ['reconcile', 'apply', 'approve']),
  );
  await refuseAtWork(database, run);
  const undo = new Undo(database, mapping, request, run);
  try {
    const interrupted = await undo.walk();
    return await undo.end(interrupted, Math.round(performance.now() - began) / 1_000);
  } catch (reason) {
    await undo.fail(reason);
    throw reason;
  }
}

/** What is taken back while a run goes on would be repaired again, or reported as repaired. */
async function refuseAtWork(database: Database, run: RunRow): Promise<void> {
  const { runId, kind, host, process } = run;
  const [atWork] = await database.query(isAtWork(runId));
  if (atWork === undefined) return;
  const first =
    kind === 'reconcile'
      ? `Stop it first: trueup runs stop ${runId}.`
      : `Wait for its end, or end it first: process ${String(process)} on ${host ?? 'an unknown host'}.`;
  throw new TrueupError('run_under_way', `run ${runId} is under way`, {
    hint: `${first} Nothing was changed.`,
  });
}

class Undo {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #request: UndoRequest;
  readonly #run: UndoneRun;
  readonly #runId = randomUUID();
  readonly #counts = { wallets: 0, undone: 0, left: 0, skipped: 0 };
  readonly #record: OnRecord;

  constructor(database: Database, mapping: ResolvedMapping, request: UndoRequest, run: UndoneRun) {
    this.#database = database;
    this.#mapping = mapping;
    this.#request = request;
    this.#run = run;
    this.#record = new OnRecord(database, {
      ...{ id: this.#runId, kind: 'undo', ledger: mapping.ledger.table.quoted },
      options: { run: run.runId },
    });
  }

  /** @returns whether it was interrupted */
  async walk(): Promise<boolean> {
    for (let above = ''; ;) {
      const wallets = await this.#database.query<RepairedWallet>(
        statements.repairedWallets(this.#run.runId, above, CHUNK),
      );
      const last = wallets.at(-1);
      if (last === undefined) return false;
      if (this.#request.signal?.aborted === true) return true;
      if (this.#request.dryRun !== true) await this.#record.begin();
      this.#counts.wallets += wallets.length;
      for (const { walletId, userId } of wallets.filter(({ opened }) => opened)) {
        this.#leave({ walletId, userId, code: 'opening_entry', message: OPENING });
      }
      const whole = wallets.filter(({ opened }) => !opened).map(merged);
      const locked = await this.#takeBack(whole, 'skip');
      for (const one of locked) await this.#takeBack([one], 'wait');
      above = last.walletId;
    }
  }

  async end(interrupted: boolean, seconds: number): Promise<UndoSummary> {
    const { dryRun = false } = this.#request;
    const { left, skipped } = this.#counts;
    const incomplete = interrupted || skipped > 0;
    const exitStatus = left > 0 ? EXIT.drift : incomplete ? EXIT.incomplete : EXIT.ok;
    const summary = {
      runId: this.#runId,
      undoes: this.#run.runId,
      dryRun,
      ...this.#counts,
      ...{ interrupted, seconds, exitStatus },
    };
    await this.#record.end(summary, {
      state: interrupted ? 'interrupted' : 'finished',
      error: null,
    });
    return summary;
  }

  /** Puts on record why it could not go on. */
  async fail(reason: unknown): Promise<void> {
    await this.#record.fail(reason);
  }

  /**
   * Where the database refuses, the list is halved until the wallet at fault stands alone.
   *
   * @returns whom others hold locked, to be waited for
   */
  async #takeBack(wallets: readonly Undoing[], onLocked: OnLocked): Promise<readonly Undoing[]> {
    if (wallets.length === 0) return [];
    try {
      const { rows, locked, takenBack } = await this.#inOneTransaction(wallets, onLocked);
      const waitedFor = onLocked === 'wait' ? [] : locked;
      for (const { walletId, userId } of takenBack) {
        this.#leave({ walletId, userId, code: 'moved_on', message: TAKEN_BACK });
      }
      this.#conclude(without(without(wallets, waitedFor), takenBack), rows);
      return waitedFor;
    } catch (error) {
      const [only] = wallets;
      if (only === undefined || !isFaultOfOneUser(error)) throw error;
      if (wallets.length === 1) {
        this.#giveUp(only, error);
        return [];
      }
      const middle = Math.ceil(wallets.length / 2);
      const first = await this.#takeBack(wallets.slice(0, middle), onLocked);
      const second = await this.#takeBack(wallets.slice(middle), onLocked);
      return [...first, ...second];
    }
  }

  #inOneTransaction(wallets: readonly Undoing[], onLocked: OnLocked): Promise<Outcome> {
    const dryRun = this.#request.dryRun === true;
    const work = async (session: Queryable): Promise<Outcome> => {
      const ids = wallets.map(({ walletId }) => walletId);
      const held = dryRun ? [] : await lockUsers(session, this.#mapping, ids, onLocked);
      const heldIds = new Set(held);
      const locked = wallets.filter(({ walletId }) => heldIds.has(walletId));
      const free = without(wallets, locked);
      const takenBack = await this.#takenBack(session, free);
      const rows = await session.query<statements.UndoRow>(
        statements.takeBack(
          this.#mapping,
          without(free, takenBack),
          dryRun ? undefined : { id: this.#runId, undoes: this.#run },
        ),
      );
      return { rows: new Map(rows.map((row) => [row.walletId, row])), locked, takenBack };
    };
    return this.#database.transaction(
      work,
      dryRun ? { readOnly: true } : { settings: SETTINGS, retries: REPAIRING.retries[onLocked] },
    );
  }

  /** Under lock: another undo of the same run may have been faster. */
  async #takenBack(session: Queryable, wallets: readonly Undoing[]): Promise<Undoing[]> {
    const ids = wallets.map(({ walletId }) => walletId);
    const rows = await session.query<{ walletId: string }>(
      statements.takenBack(this.#run.runId, ids),
    );
    return wallets.filter(({ walletId }) => rows.some((row) => row.walletId === walletId));
  }

  #conclude(wallets: readonly Undoing[], rows: Outcome['rows']): void {
    for (const { walletId, userId, changes } of wallets) {
      const row = rows.get(walletId);
      if (row === undefined) {
        this.#leave({ walletId, userId, code: 'gone', message: 'the wallet is gone' });
      } else if (row.holds) {
        this.#counts.undone += 1;
      } else {
        const message = movedOn(changes, row.now);
        this.#leave({ walletId, userId, code: 'moved_on', message });
      }
    }
  }

  #giveUp({ walletId, userId }: Undoing, error: unknown): void {
    const { message } = toTrueupError(error);
    const code = isRetryable(error) ? 'locked' : 'refused';
    this.#leave({ walletId, userId, code, message });
  }

  #leave(left: UndoLeft): void {
    if (left.code === 'locked') this.#counts.skipped += 1;
    else this.#counts.left += 1;
    this.#request.onLeft?.(left);
  }
}

interface Outcome {
  readonly rows: ReadonlyMap<string, statements.UndoRow>;
  /** Held by others, or gone. */
  readonly locked: readonly Undoing[];
  /** By another undo, meanwhile. */
  readonly takenBack: readonly Undoing[];
}

function without(wallets: readonly Undoing[], others: readonly Undoing[]): readonly Undoing[] {
  const left = new Set(others);
  return left.size === 0 ? wallets : wallets.filter((wallet) => !left.has(wallet));
}

const TAKEN_BACK = 'another undo has taken it back meanwhile';

const OPENING = 'it came with an opening entry, which stays in the ledger';

/** From what stood before the first repair to what the last one wrote. */
function merged({ walletId, profileId, userId, changes }: RepairedWallet): Undoing {
  const whole: Record<string, readonly [string | null, string | null]> = {};
  for (const step of changes) {
    for (const [key, [before, after]] of Object.entries(step)) {
      whole[key] = [whole[key] === undefined ? before : whole[key][0], after];
    }
  }
  return { walletId, profileId, userId, changes: whole };
}

/** `wallet.balance holds 520, not the 500 that the run wrote` */
function movedOn(changes: Changes, now: statements.UndoRow['now']): string {
  const moved = Object.entries(changes).filter(([key, [, after]]) => now[key] !== after);
  const [key = '', [, after] = ['', '']] = moved[0] ?? [];
  return `${key} holds ${now[key] ?? 'nothing'}, not the ${after ?? 'null'} that the run wrote`;
}
