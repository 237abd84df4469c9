import { messageOf, TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isFaultOfOneUser, isRetryable, sqlStateOf } from '../postgres/failures.js';
import { grantsOnOwn } from '../postgres/grant-statements.js';
import { roleOf } from '../postgres/role.js';
import * as statements from './carry-statements.js';
import { syncTriggerOf } from './triggers.js';

/** What one pass of a carrier did, in marks (a profile may have several). */
export interface CarryResult {
  /** Their profiles show now what the wallets hold. */
  readonly carried: number;
  /** Recorded as failures, for the healer. */
  readonly failed: number;
  /** Left as they are: somebody else holds the profile, and the mark is not old yet. */
  readonly waiting: number;
}

/** Marks that are taken in one transaction. */
const BATCH = 1_000;

/** It waits for no row; for a table that is locked as a whole it does, and the pass ends there. */
const SETTINGS = { lock_timeout: '1s', random_page_cost: '1.1' } as const;

/**
 * Carries every profile that deferred mode has marked: locks it, sets it to what its wallet holds, and
 * deletes the marks that were seen, all in one transaction. Several passes may run side by side. A
 * profile that cannot hold the new value, or is held by somebody else for too long, becomes a recorded
 * failure. What the wallet holds is not questioned here: a drifted wallet is found by reconcile, which
 * repairs the profile with it.
 *
 * @param options.signal stops after the batch under way
 * @throws TrueupError what keeps everything from being carried, such as a locked table
 */
export async function carryProfiles(
  database: Database,
  mapping: ResolvedMapping,
  options: { readonly signal?: AbortSignal } = {},
): Promise<CarryResult> {
  const total = { carried: 0, failed: 0, waiting: 0 };
  for (let after = '0'; options.signal?.aborted !== true;) {
    const batch = new Batch(database, mapping);
    const last = await batch.carry({ after, limit: BATCH });
    total.carried += batch.carried;
    total.failed += batch.failed;
    total.waiting += batch.waiting;
    // Whoever takes fewer than it might has seen the end.
    if (last === undefined || batch.taken < BATCH) break;
    after = last;
  }
  return total;
}

/** Carries what is marked now, however long it takes: until the last of these marks is gone. */
export async function carryAll(database: Database, mapping: ResolvedMapping): Promise<CarryResult> {
  const ledger = mapping.ledger.table.quoted;
  const total = { carried: 0, failed: 0, waiting: 0 };
  if (!mapping.marksKept) return total;
  const [bound] = await database.query<{ last: string | null }>(statements.lastMark(ledger));
  const last = bound?.last ?? null;
  if (last === null) return total;
  for (;;) {
    const pass = await carryProfiles(database, mapping);
    total.carried += pass.carried;
    total.failed += pass.failed;
    const [rest] = await database.query<{ left: boolean }>(statements.marksLeft(ledger, last));
    if (rest?.left !== true) return total;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/**
 * Carries the profile of one wallet in a transaction that has locked both already. Marks that a carrier
 * has taken are left to it: it finds the profile held, and comes back.
 */
export async function carryLocked(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<void> {
  const ledger = mapping.ledger.table.quoted;
  if (!mapping.marksKept) return;
  const marks = await session.query<{ id: string }>(statements.takeMarksOf(ledger, walletId));
  if (marks.length === 0) return;
  await session.query(statements.copyToProfiles(mapping, [walletId]));
  await session.query(
    statements.deleteMarks(
      ledger,
      marks.map(({ id }) => id),
    ),
  );
}

/**
 * Makes sure that a comparison sees which profiles are marked: otherwise it would call them drifted.
 *
 * @throws TrueupError `permission_denied`
 */
export async function refuseUnseenMarks(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<void> {
  if (mapping.marksKept) return;
  const trigger = await syncTriggerOf(session, mapping);
  if (trigger?.body.includes('trueup.profile_marks') !== true) return;
  throw new TrueupError('permission_denied', 'the marks of deferred profiles cannot be read', {
    hint: grantsOnOwn('profile_marks', await roleOf(session)),
  });
}

/** The pause before a held profile is tried again, in milliseconds. */
const RETRY_MS = 100;

class Batch {
  carried = 0;
  failed = 0;
  waiting = 0;
  taken = 0;
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #ledger: string;

  constructor(database: Database, mapping: ResolvedMapping) {
    this.#database = database;
    this.#mapping = mapping;
    this.#ledger = mapping.ledger.table.quoted;
  }

  /** @returns the last mark that was taken, or undefined where there was none */
  async carry(taken: statements.Taken): Promise<string | undefined> {
    let marks: readonly statements.MarkRow[] = [];
    try {
      const done = await this.#database.transaction(
        async (session) => {
          marks = await session.query<statements.MarkRow>(
            statements.takeMarks(this.#ledger, taken),
          );
          return this.#carryTaken(session, marks);
        },
        { settings: SETTINGS, retries: 1 },
      );
      this.carried += done.carried;
      this.failed += done.failed;
      this.waiting += done.waiting;
    } catch (error) {
      if (isRetryable(error) || !isFaultOfOneUser(error)) throw error;
      await this.#takeApart(marks, error);
    }
    this.taken = marks.length;
    return marks.at(-1)?.id;
  }

  /** Halves the wallets until the one at fault stands alone. */
  async #takeApart(marks: readonly statements.MarkRow[], error: unknown): Promise<void> {
    const wallets = [...new Set(marks.map(({ walletId }) => walletId))];
    const idsOf = (some: readonly string[]): string[] => {
      const chosen = new Set(some);
      return marks.filter(({ walletId }) => chosen.has(walletId)).map(({ id }) => id);
    };
    if (wallets.length <= 1) return this.#giveUp(idsOf(wallets), error);
    const middle = Math.ceil(wallets.length / 2);
    await this.carry({ ids: idsOf(wallets.slice(0, middle)) });
    await this.carry({ ids: idsOf(wallets.slice(middle)) });
  }

  async #giveUp(ids: readonly string[], error: unknown): Promise<void> {
    const failure = {
      state: sqlStateOf(error) ?? 'XX000',
      message: messageOf(error instanceof Error ? (error.cause ?? error) : error),
    };
    this.failed += await this.#database.transaction(async (session) => {
      const marks = await session.query<statements.MarkRow>(
        statements.takeMarks(this.#ledger, { ids }),
      );
      const shown = await this.#lock(session, marks);
      const failures = [...shown.values()].map((one) => ({ ...one, ...failure }));
      await session.query(statements.failMarks(this.#ledger, idsOf(marks), failures));
      return marks.length;
    });
  }

  async #lock(
    session: Queryable,
    marks: readonly statements.MarkRow[],
  ): Promise<Map<string, statements.ShownRow>> {
    const wallets = [...new Set(marks.map(({ walletId }) => walletId))];
    const rows = await session.query<statements.ShownRow>(
      statements.lockProfiles(this.#mapping, wallets),
    );
    return new Map(rows.map((row) => [row.walletId, row]));
  }

  async #carryTaken(
    session: Queryable,
    marks: readonly statements.MarkRow[],
  ): Promise<CarryResult> {
    if (marks.length === 0) return { carried: 0, failed: 0, waiting: 0 };
    const shown = await this.#lock(session, marks);
    const locked = [...shown.values()].filter((row) => row.locked).map(({ walletId }) => walletId);
    if (locked.length > 0) await session.query(statements.copyToProfiles(this.#mapping, locked));
    const carried: statements.MarkRow[] = [];
    const failed: statements.MarkRow[] = [];
    const failures = new Map<string, statements.Refusal>();
    for (const mark of marks) {
      const row = shown.get(mark.walletId);
      // A wallet that is gone, or is shown to nobody any more, has no profile to carry.
      if (row === undefined || row.locked) carried.push(mark);
      else if (!row.exists || mark.old) {
        failures.set(row.walletId, { ...row, ...(row.exists ? HELD : NO_PROFILE) });
        failed.push(mark);
      }
    }
    await session.query(statements.deleteMarks(this.#ledger, idsOf(carried)));
    if (failed.length > 0) {
      await session.query(
        statements.failMarks(this.#ledger, idsOf(failed), [...failures.values()]),
      );
    }
    return {
      carried: carried.length,
      failed: failed.length,
      waiting: marks.length - carried.length - failed.length,
    };
  }
}

const HELD = { state: '55P03', message: 'another transaction held the profile for too long' };
const NO_PROFILE = { state: 'TU002', message: 'there is no such profile' };

function idsOf(marks: readonly statements.MarkRow[]): string[] {
  return marks.map(({ id }) => id);
}
