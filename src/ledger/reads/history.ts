import { wholeCoins } from '../../core/amount.js';
import {
  read,
  readList,
  readOneOf,
  readWhole,
  readWords,
  shape,
  wrong,
} from '../../core/arguments.js';
import type { WalletReference } from '../../core/posting/request.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import { checkReference, featureOff, REFERENCE } from '../reference.js';
import { checkRange, RANGE, readToken, type TimeRange } from './arguments.js';
import { readCursor, writeCursor } from './cursor.js';
import type { EntryRow } from './history-statements.js';
import { isPosition, orderOf, type Position } from './order.js';
import { readStretch } from './stretch.js';
import { findWallet } from './wallet.js';

/** Which entries of which wallet, and how many at a time. */
export interface HistoryRequest extends WalletReference, TimeRange {
  /** Entries of one page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** {@link HistoryPage.nextCursor} of the page before. Default: begin. */
  readonly cursor?: string | null | undefined;
  /** Only entries with one of these reasons. */
  readonly reasons?: readonly string[] | undefined;
  /** Only entries that brought coins, or that took them. */
  readonly sign?: 'credit' | 'debit' | undefined;
  /** Default: `newest` first. */
  readonly order?: 'newest' | 'oldest' | undefined;
}

/** An entry of the ledger. What the mapping does not have is null. */
export interface HistoryEntry {
  readonly entryId: string;
  readonly transactionId: string | null;
  readonly walletId: string;
  /** Signed coins. */
  readonly amount: bigint;
  /** The wallet's balance after it, as the ledger recorded it. */
  readonly balanceAfter: bigint | null;
  readonly reason: string | null;
  readonly note: string | null;
  readonly metadata: unknown;
  readonly actor: string | null;
  /** Where the coins came from or went; null: the outside world. */
  readonly counterpartyWalletId: string | null;
  readonly idempotencyKey: string | null;
  readonly reversesEntryId: string | null;
  readonly holdId: string | null;
  /** Its number within the wallet. */
  readonly sequence: bigint | null;
  readonly createdAt: Date | null;
}

export interface HistoryPage {
  readonly entries: readonly HistoryEntry[];
  /** What to give as `cursor` for the next page; null: there is none. */
  readonly nextCursor: string | null;
}

export const DEFAULT_PAGE = 50;
export const LARGEST_PAGE = 1_000;

const HISTORY = shape<HistoryRequest>('a history', {
  ...REFERENCE,
  ...RANGE,
  limit: readWhole(1, LARGEST_PAGE),
  cursor: readToken,
  reasons: readList(readWords),
  sign: readOneOf('credit', 'debit'),
  order: readOneOf('newest', 'oldest'),
});

/**
 * One page of a wallet's entries. Pages stay whole while entries are written: newer ones come before
 * the first page of `newest`, and behind the last of `oldest`.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`, `feature_off` (names the column that a
 *   filter needs), `invalid_argument` (also for a cursor that is damaged, or of another wallet or
 *   order)
 */
export async function readHistory(
  session: Queryable,
  mapping: ResolvedMapping,
  request: HistoryRequest,
): Promise<HistoryPage> {
  const asked = checkRequest(mapping, request);
  const { limit = DEFAULT_PAGE, order = 'newest', reasons, sign, from, to } = asked;
  const { walletId } = await findWallet(session, mapping, asked);
  const place = {
    kind: 'history',
    ledger: mapping.ledger.table.quoted,
    walletId,
    order,
  } as const;
  const beyond = beyondOf(mapping, asked.cursor, place);
  const stretch = { walletId, order, limit: limit + 1, beyond, reasons, sign, from, to };
  const rows = await readStretch(session, mapping, stretch);
  const shown = rows.slice(0, limit);
  const position = rows.length > limit ? shown.at(-1)?.position : undefined;
  return {
    entries: shown.map(toHistoryEntry),
    nextCursor: position === undefined ? null : writeCursor({ ...place, position }),
  };
}

function checkRequest(mapping: ResolvedMapping, request: HistoryRequest): HistoryRequest {
  const asked = checkReference(mapping, read(HISTORY, request), 'a history');
  checkRange(mapping, asked);
  if (asked.reasons === undefined) return asked;
  if (mapping.ledger.reason === undefined) throw featureOff(mapping, 'ledger.reason');
  if (asked.reasons.length === 0)
    throw wrong('reasons has to name one at least; leave it out for all');
  return asked;
}

function beyondOf(
  mapping: ResolvedMapping,
  cursor: string | null | undefined,
  place: Parameters<typeof readCursor>[1],
): Position | undefined {
  if (cursor === null || cursor === undefined) return undefined;
  const position = readCursor(cursor, place);
  if (!isPosition(orderOf(mapping), position)) throw wrong('the cursor is damaged');
  return position;
}

/** Field by field: where the entry stands is not part of it. */
function toHistoryEntry(row: EntryRow): HistoryEntry {
  return {
    entryId: row.entryId,
    transactionId: row.transactionId,
    walletId: row.walletId,
    amount: wholeCoins(row.amount),
    balanceAfter: row.balanceAfter === null ? null : wholeCoins(row.balanceAfter),
    reason: row.reason,
    note: row.note,
    metadata: row.metadata,
    actor: row.actor,
    counterpartyWalletId: row.counterpartyWalletId,
    idempotencyKey: row.idempotencyKey,
    reversesEntryId: row.reversesEntryId,
    holdId: row.holdId,
    sequence: row.sequence === null ? null : BigInt(row.sequence),
    createdAt: row.createdAt === null ? null : new Date(row.createdAt),
  };
}
