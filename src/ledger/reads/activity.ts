import { wholeCoins } from '../../core/amount.js';
import { read, readOneOf, readText, readWhole, shape, wrong } from '../../core/arguments.js';
import { TrueupError } from '../../core/errors.js';
import { EVENT_TYPES } from '../../mapping/activity.js';
import { possibleId } from '../../mapping/ids.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import { walletsOfUser, type UserWalletRow } from './activity-statements.js';
import { featureOff } from '../reference.js';
import { checkRange, RANGE, readToken, type TimeRange } from './arguments.js';
import { readCursor, writeCursor } from './cursor.js';
import { DEFAULT_PAGE, LARGEST_PAGE } from './history.js';
import type { EntryRow } from './history-statements.js';
import { isPosition, orderOf, type Position } from './order.js';
import { readStretch } from './stretch.js';

/** What an entry is to its user. */
export type ActivityType = (typeof EVENT_TYPES)[keyof typeof EVENT_TYPES];

/** Whose events, and how many at a time. */
export interface ActivityRequest extends TimeRange {
  readonly userId: string;
  /** Only events of this type. */
  readonly type?: ActivityType | undefined;
  /** Events of one page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** {@link ActivityPage.nextCursor} of the page before. Default: begin. */
  readonly cursor?: string | null | undefined;
}

/** An entry of a user's wallet, as an event. What the mapping does not have is null. */
export interface ActivityEvent {
  readonly userId: string;
  readonly type: ActivityType;
  /** Coins, without a sign: the type tells the direction. */
  readonly amount: bigint;
  readonly reason: string | null;
  readonly note: string | null;
  /** The table of the entry, or what the mapping calls it (`activity.source`). */
  readonly sourceModel: string;
  /** The id of the entry: no two events have the same. */
  readonly sourceId: string;
  readonly walletId: string;
  /** The wallet's balance after it, as the ledger recorded it. */
  readonly balanceAfter: bigint | null;
  readonly occurredAt: Date | null;
}

export interface ActivityPage {
  /** Newest first. */
  readonly events: readonly ActivityEvent[];
  /** What to give as `cursor` for the next page; null: there is none. */
  readonly nextCursor: string | null;
}

const ACTIVITY = shape<ActivityRequest>(
  'an activity',
  {
    ...RANGE,
    userId: readText,
    type: readOneOf(...Object.values(EVENT_TYPES)),
    limit: readWhole(1, LARGEST_PAGE),
    cursor: readToken,
  },
  ['userId'],
);

/**
 * One page of a user's events, over all of his wallets, newest first. Each wallet's entries keep their
 * order; between wallets the times decide. Pages stay whole while entries are written.
 *
 * @throws TrueupError `user_not_found`, `invalid_argument` (also for a cursor that is damaged, or of
 *   another user), `feature_off` where profile.user is not mapped
 */
export async function readActivity(
  session: Queryable,
  mapping: ResolvedMapping,
  request: ActivityRequest,
): Promise<ActivityPage> {
  const asked = read(ACTIVITY, request);
  const { userId, type, limit = DEFAULT_PAGE, from, to } = asked;
  checkRange(mapping, asked);
  const wallets = await walletsOf(session, mapping, userId);
  const place = {
    kind: 'activity',
    ledger: mapping.ledger.table.quoted,
    walletId: userId,
    order: 'newest',
  } as const;
  const beyond = positionsOf(mapping, asked.cursor, place);
  const sign =
    type === undefined ? undefined : type === EVENT_TYPES.earned ? 'credit' : ('debit' as const);
  const heads: Head[] = [];
  for (const walletId of wallets) {
    const stretch = { walletId, order: 'newest', limit: limit + 1, sign, from, to } as const;
    const rows = await readStretch(session, mapping, {
      ...stretch,
      beyond: beyond.get(walletId),
    });
    heads.push({ walletId, rows, next: 0, whole: rows.length <= limit });
  }
  const events = merge(heads, limit, (row) => toEvent(mapping, userId, row));
  if (heads.every(({ rows, next, whole }) => whole && next === rows.length)) {
    return { events, nextCursor: null };
  }
  for (const { walletId, rows, next } of heads) {
    const last = rows[next - 1];
    if (last !== undefined) beyond.set(walletId, last.position);
  }
  const position = [...beyond].flatMap(([walletId, one]) => [walletId, ...one]);
  return { events, nextCursor: writeCursor({ ...place, position }) };
}

/** The entries of one wallet that may be on the page, and how far they are used up. */
interface Head {
  readonly walletId: string;
  readonly rows: readonly EntryRow[];
  next: number;
  /** There are no entries behind these. */
  readonly whole: boolean;
}

/** Takes the newest of the heads again and again, until the page is full or nobody knows what comes next. */
function merge<Event>(
  heads: readonly Head[],
  limit: number,
  of: (row: EntryRow) => Event,
): Event[] {
  const events: Event[] = [];
  while (events.length < limit) {
    const left = heads.filter(({ rows, next, whole }) => next < rows.length || !whole);
    if (left.length === 0 || left.some(({ rows, next }) => next === rows.length)) break;
    const newest = left.reduce((one, other) => (isNewer(other, one) ? other : one));
    const row = newest.rows[newest.next];
    newest.next += 1;
    // An application's ledger may hold entries that move nothing; they are no events.
    if (row !== undefined && wholeCoins(row.amount) !== 0n) events.push(of(row));
  }
  return events;
}

function isNewer(one: Head, other: Head): boolean {
  const time = (head: Head): number => head.rows[head.next]?.createdAt ?? 0;
  return time(one) > time(other);
}

async function walletsOf(
  session: Queryable,
  mapping: ResolvedMapping,
  userId: string,
): Promise<string[]> {
  const { profile } = mapping;
  if (profile?.user === undefined) throw featureOff(mapping, 'profile.user');
  const rows = possibleId(profile.user, userId)
    ? await session.query<UserWalletRow>(walletsOfUser(mapping, profile, profile.user, userId))
    : [];
  if (rows.length === 0) throw new TrueupError('user_not_found', `there is no user ${userId}`);
  return rows.flatMap(({ walletId }) => (walletId === null ? [] : [walletId]));
}

/** Where each wallet's entries go on: in a cursor, the wallet's id and then its position. */
function positionsOf(
  mapping: ResolvedMapping,
  cursor: string | null | undefined,
  place: Parameters<typeof readCursor>[1],
): Map<string, Position> {
  const positions = new Map<string, Position>();
  if (cursor === null || cursor === undefined) return positions;
  const parts = readCursor(cursor, place);
  const order = orderOf(mapping);
  for (let from = 0; from < parts.length; from += order.length + 1) {
    const position = parts.slice(from + 1, from + 1 + order.length);
    if (!isPosition(order, position)) throw wrong('the cursor is damaged');
    positions.set(parts[from] ?? '', position);
  }
  return positions;
}

function toEvent(mapping: ResolvedMapping, userId: string, row: EntryRow): ActivityEvent {
  const amount = wholeCoins(row.amount);
  return {
    userId,
    type: amount > 0n ? EVENT_TYPES.earned : EVENT_TYPES.spent,
    amount: amount < 0n ? -amount : amount,
    reason: row.reason,
    note: row.note,
    sourceModel: mapping.activity?.source ?? mapping.ledger.table.name,
    sourceId: row.entryId,
    walletId: row.walletId,
    balanceAfter: row.balanceAfter === null ? null : wholeCoins(row.balanceAfter),
    occurredAt: row.createdAt === null ? null : new Date(row.createdAt),
  };
}
