import { createHash } from 'node:crypto';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { VERSION } from '../version.js';
import * as statements from './watermark-statements.js';

/**
 * The verified point of a ledger: a transaction id before which everything had ended when a run began
 * to look. Whatever any transaction has changed since bears an id that is not lower, however early that
 * transaction took ids or the time, and however late it committed.
 */

/** The oldest open transaction: what it and all later ones change is looked at by the next check too. */
export interface WatermarkLag {
  /** Transactions that have been begun since. */
  readonly transactions: number;
  /** How long it has been open; null where this role may not see that. */
  readonly seconds: number | null;
  /** Its session; null for a prepared transaction. */
  readonly pid: number | null;
  /** The name of a prepared transaction. */
  readonly prepared: string | null;
}

/** What a run has to remember before it looks at anything. */
export interface Watermark {
  readonly xid: string;
  /** The id that the next transaction would have got. */
  readonly next: string;
  /** Time of the database, as text. */
  readonly at: string;
  /** Identifier of the server; null where this role may not ask for it. */
  readonly systemId: string | null;
  /** null: no transaction was open. */
  readonly lag: WatermarkLag | null;
}

/** Takes the watermark. Before anything else: what is read earlier may be older than it says. */
export async function takeWatermark(session: Queryable): Promise<Watermark> {
  const [row] = await session.query<statements.WatermarkRow>(statements.watermark);
  if (row === undefined) throw new Error('a snapshot has exactly one row');
  const { xid, next, at, identified } = row;
  const [system] = identified
    ? await session.query<{ systemId: string }>(statements.systemIdentifier)
    : [];
  const lag = BigInt(xid) < BigInt(next) ? await lagOf(session) : null;
  return { xid, next, at, systemId: system?.systemId ?? null, lag };
}

/** null too where whoever was open has ended meanwhile. */
async function lagOf(session: Queryable): Promise<WatermarkLag | null> {
  const [row] = await session.query<statements.HolderRow>(statements.holder);
  if (row === undefined) return null;
  const { transactions, seconds, pid, name } = row;
  return { transactions, seconds: seconds === null ? null : Number(seconds), pid, prepared: name };
}

/**
 * What has to be as it was for changes to be told by transaction ids: the mapping, Trueup's triggers, where
 * tables keep their rows, and the version of Trueup, which says what is checked. To be taken before the
 * watermark: then whoever switches a trigger off and on again while a run begins is seen by that run, or
 * by the next.
 */
export async function fingerprintOf(session: Queryable, mapping: ResolvedMapping): Promise<string> {
  const lines = await session.query<{ line: string }>(statements.foundations(mapping));
  const { ledger, wallet, profile, unearned, numbered, holdsKept } = mapping;
  return createHash('sha256')
    .update(JSON.stringify([VERSION, { ledger, wallet, profile, unearned, numbered, holdsKept }]))
    .update(lines.map(({ line }) => line).join('\n'))
    .digest('hex');
}

/** What a run over a ledger counts from. It is on record with the run, so that it stays when that is resumed. */
export interface Base {
  readonly fingerprint: string;
  readonly watermark: Watermark;
}

/** Takes the base of a run, before it looks at anything. */
export async function takeBase(session: Queryable, mapping: ResolvedMapping): Promise<Base> {
  const fingerprint = await fingerprintOf(session, mapping);
  return { fingerprint, watermark: await takeWatermark(session) };
}

/** Why an incremental check has to look at every wallet. */
export type WholeReason =
  | 'never_verified'
  | 'foundations_changed'
  | 'another_server'
  | 'watermark_unusable'
  | 'too_many_touched';

/** From when on an incremental check has to look, or why that cannot be told. */
export type Since =
  { readonly watermark: string; readonly whole?: never } | { readonly whole: WholeReason };

/** Whether there are verified points, and this role may read them. A dry run works without. */
export async function checkpointsReadable(session: Queryable): Promise<boolean> {
  const [row] = await session.query<{ readable: boolean }>(statements.checkpointsReadable);
  return row?.readable === true;
}

/**
 * Transaction ids in rows have 32 bits and tell older from newer over half of them. One in sixteen is
 * left for those that are given out while the check runs.
 */
const OLDEST_WATERMARK = 2n ** 31n - 2n ** 27n;

/**
 * The verified point that a check may start from.
 *
 * @param now what holds for this run
 */
export async function verifiedPoint(
  session: Queryable,
  mapping: ResolvedMapping,
  now: Base,
): Promise<Since> {
  const { next, systemId } = now.watermark;
  if (!(await checkpointsReadable(session))) return { whole: 'never_verified' };
  const [point] = await session.query<statements.CheckpointRow>(
    statements.readCheckpoint(mapping.ledger.table.quoted),
  );
  if (point === undefined) return { whole: 'never_verified' };
  if (point.systemId !== null && systemId !== null && point.systemId !== systemId) {
    return { whole: 'another_server' };
  }
  const behind = BigInt(next) - BigInt(point.xid);
  if (behind < 0n || behind > OLDEST_WATERMARK) return { whole: 'watermark_unusable' };
  if (point.fingerprint !== now.fingerprint) return { whole: 'foundations_changed' };
  return { watermark: point.xid };
}

/**
 * On record: every change by a transaction before this watermark is verified, or an open finding.
 */
export async function saveVerifiedPoint(
  session: Queryable,
  mapping: ResolvedMapping,
  { fingerprint, watermark: { xid, systemId, at } }: Base,
  runId: string,
): Promise<void> {
  await session.query(
    statements.saveCheckpoint(mapping.ledger.table.quoted, {
      xid,
      systemId,
      fingerprint,
      at,
      runId,
    }),
  );
}
