import { walletsDue } from '../core/cycle.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import type { IdRange } from './detect-statements.js';
import * as statements from './ranges-statements.js';

/**
 * When each range of wallets was last verified as a whole: compared from end to end, and repaired or on
 * record. The ranges of a ledger cover all ids and do not overlap; a ledger that was never verified as a
 * whole has none.
 */

export type { Verifier } from './ranges-statements.js';

/** A range, as the rolling slice takes it up. */
export interface VerifiedRange extends IdRange {
  readonly wallets: number;
  /** Seconds since it was verified. */
  readonly age: number;
}

/** The beginning of a range that was looked at. */
export interface SlicePiece {
  /** The range; null: open to that side. */
  readonly above: string | null;
  readonly upTo: string | null;
  /** The last wallet that was looked at; the range's own end for all of it. */
  readonly end: string | null;
  readonly wallets: number;
}

/** The ranges of a ledger, the longest unverified first. */
export async function readRanges(session: Queryable, ledger: string): Promise<VerifiedRange[]> {
  const rows = await session.query<statements.RangeRow>(statements.readRanges(ledger));
  return rows.map(({ above, upTo, wallets, age }) => ({
    above: above ?? undefined,
    upTo: upTo ?? undefined,
    wallets: Number(wallets),
    age: Number(age),
  }));
}

/** Corrects what a clock that was put back has made of the ranges; for a run that may write. */
export async function settleClock(session: Queryable, ledger: string): Promise<void> {
  await session.query(statements.forgetFuture(ledger));
}

/** Seconds since the wallet that is longest unverified was verified; null where one never was. */
export async function oldestUnverified(session: Queryable, ledger: string): Promise<number | null> {
  const [row] = await session.query<{ age: string | null }>(statements.oldestRange(ledger));
  return typeof row?.age === 'string' ? Number(row.age) : null;
}

/**
 * How many wallets the rolling slice has to verify now.
 *
 * @param cycle seconds in which every wallet is to be verified once
 * @param atLeast a batch: less would not be worth the look
 */
export function sliceSize(
  ranges: readonly VerifiedRange[],
  cycle: number,
  atLeast: number,
): number {
  return ranges.length === 0 ? 0 : Math.max(walletsDue(ranges, cycle), atLeast);
}

/** On record: every wallet was verified by one run. */
export async function verifiedAll(
  database: Database,
  mapping: ResolvedMapping,
  by: statements.Verifier,
): Promise<void> {
  const all = { above: undefined, upTo: undefined };
  const held = await heldIn(database, mapping, all);
  await database.transaction(async (session) => {
    await session.query(statements.lockRanges);
    await session.query(statements.forgetRanges(by.ledger));
    await session.query(statements.insertRange(by, all, held));
  });
}

/**
 * On record: the beginning of a range was verified, up to a wallet, or all of it.
 *
 * @param range as {@link readRanges} gave it, less what was recorded of it since
 * @param end the last wallet that was verified; the range's own end for all of it
 * @returns false, and nothing is recorded, where somebody else has changed that range meanwhile
 */
export async function verifiedBeginning(
  database: Database,
  mapping: ResolvedMapping,
  by: statements.Verifier,
  range: IdRange,
  end: string | undefined,
): Promise<boolean> {
  const piece = { above: range.above, upTo: end };
  const held = await heldIn(database, mapping, piece);
  return database.transaction(async (session) => {
    await session.query(statements.lockRanges);
    const cut = await session.query(statements.cutRange(by.ledger, range, end, held));
    if (cut.length === 0) return false;
    const grown = await session.query(statements.growRange(by, piece, held));
    if (grown.length === 0) await session.query(statements.insertRange(by, piece, held));
    return true;
  });
}

/** What is left of ranges behind pieces of them. */
export function behind(
  ranges: readonly VerifiedRange[],
  pieces: readonly SlicePiece[],
): VerifiedRange[] {
  const left = [...ranges];
  for (const { above, upTo, end, wallets } of pieces) {
    const at = left.findIndex(
      (range) => (range.above ?? null) === above && (range.upTo ?? null) === upTo,
    );
    const [range] = left.splice(at, at < 0 ? 0 : 1);
    if (range === undefined || end === upTo) continue;
    const rest = { above: end ?? undefined, wallets: Math.max(range.wallets - wallets, 0) };
    left.splice(at, 0, { ...range, ...rest });
  }
  return left;
}

/** The next wallets of a range, in the order of their ids. */
export async function firstWallets(
  session: Queryable,
  mapping: ResolvedMapping,
  range: IdRange,
  size: number,
): Promise<string[]> {
  const rows = await session.query<{ walletId: string }>(statements.firstIn(mapping, range, size));
  return rows.map(({ walletId }) => walletId);
}

async function heldIn(
  session: Queryable,
  mapping: ResolvedMapping,
  range: IdRange,
): Promise<statements.Held> {
  const [held] = await session.query<statements.Held>(statements.heldIn(mapping, range));
  return held ?? { wallets: '0', coins: '0' };
}
