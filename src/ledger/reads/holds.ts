import { read, readOneOf, readWhole, shape, wrong } from '../../core/arguments.js';
import { TrueupError } from '../../core/errors.js';
import type { WalletReference } from '../../core/posting/request.js';
import type { HoldStatus } from '../../core/posting/state.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import { toHold } from '../load.js';
import { toHoldView, type Hold } from '../outcomes.js';
import { checkReference, featureOff, REFERENCE } from '../reference.js';
import { readToken } from './arguments.js';
import { readCursor, writeCursor } from './cursor.js';
import { DEFAULT_PAGE, LARGEST_PAGE } from './history.js';
import { holdsOf, type ListedHoldRow } from './holds-statements.js';
import { findWallet } from './wallet.js';

/** Which holds of which wallet. */
export interface HoldsRequest extends WalletReference {
  /** Only holds in this state. One whose time is over is expired, also before it is closed. */
  readonly state?: HoldStatus | undefined;
  /** Holds of one page, 1 to 1,000. Default: 50. */
  readonly limit?: number | undefined;
  /** {@link HoldsPage.nextCursor} of the page before. Default: begin. */
  readonly cursor?: string | null | undefined;
}

export interface HoldsPage {
  /** Newest first. */
  readonly holds: readonly Hold[];
  /** What to give as `cursor` for the next page; null: there is none. */
  readonly nextCursor: string | null;
}

/** Microseconds and the id of a hold. */
const POSITION = /^[0-9]{1,16} [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const HOLDS = shape<HoldsRequest>('a list of holds', {
  ...REFERENCE,
  state: readOneOf('open', 'captured', 'released', 'expired'),
  limit: readWhole(1, LARGEST_PAGE),
  cursor: readToken,
});

/**
 * One page of a wallet's holds, newest first.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`, `invalid_argument` (also for a cursor
 *   that is damaged or of another wallet), `feature_off` where wallet.pendingBalance is not mapped,
 *   `schema_missing` where Trueup has never been in the database
 */
export async function readHolds(
  session: Queryable,
  mapping: ResolvedMapping,
  request: HoldsRequest,
): Promise<HoldsPage> {
  const asked = checkReference(mapping, read(HOLDS, request), 'a list of holds');
  const { state, limit = DEFAULT_PAGE, cursor } = asked;
  if (mapping.wallet.pendingBalance === undefined) {
    throw featureOff(mapping, 'wallet.pendingBalance');
  }
  if (!mapping.holdsKept) {
    throw new TrueupError('schema_missing', "Trueup's table of holds is not in this database", {
      hint: 'Create it with `trueup migrate`.',
    });
  }
  const { walletId } = await findWallet(session, mapping, asked);
  const place = {
    kind: 'holds',
    ledger: mapping.ledger.table.quoted,
    walletId,
    order: 'newest',
  } as const;
  const beyond = cursor === null || cursor === undefined ? undefined : readCursor(cursor, place);
  if (beyond !== undefined && !POSITION.test(beyond.join(' ')))
    throw wrong('the cursor is damaged');
  const page = { state, limit: limit + 1, beyond };
  const rows = await session.query<ListedHoldRow>(holdsOf(mapping, walletId, page));
  const shown = rows.slice(0, limit);
  const position = rows.length > limit ? shown.at(-1)?.position : undefined;
  return {
    holds: shown.map((row) =>
      toHoldView(row.overdue ? { ...toHold(row), state: 'expired' } : toHold(row)),
    ),
    nextCursor: position === undefined ? null : writeCursor({ ...place, position }),
  };
}
