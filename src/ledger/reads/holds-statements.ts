import type { HoldStatus } from '../../core/posting/state.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { HOLD_COLUMNS, type HoldRow } from '../read-statements.js';
import type { Position } from './order.js';

/** The statement that lists the holds of a wallet. */

export interface ListedHoldRow extends HoldRow {
  readonly position: Position;
  /** It is open, and its time is over. */
  readonly overdue: boolean;
}

const OVERDUE = `(s.state = 'open' AND coalesce(s.expires_at <= statement_timestamp(), false))`;

/** An overdue hold is expired, whether somebody has closed it or not. */
const CONDITIONS: Readonly<Record<HoldStatus, string>> = {
  open: `s.state = 'open' AND NOT ${OVERDUE}`,
  captured: `s.state = 'captured'`,
  released: `s.state = 'released'`,
  expired: `(s.state = 'expired' OR ${OVERDUE})`,
};

/** Holds of a wallet, newest first. */
export function holdsOf(
  mapping: ResolvedMapping,
  walletId: string,
  page: {
    readonly state: HoldStatus | undefined;
    readonly limit: number;
    readonly beyond: Position | undefined;
  },
): Statement {
  const { state, limit, beyond = [] } = page;
  const values: unknown[] = [mapping.ledger.table.quoted, walletId, limit, ...beyond];
  const [behind, which] = [
    beyond.length === 0
      ? ''
      : ` AND (s.created_at, s.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid)`,
    state === undefined ? '' : ` AND ${CONDITIONS[state]}`,
  ];
  return {
    text: `SELECT ${HOLD_COLUMNS}, ${OVERDUE} AS overdue,
       ARRAY[(extract(epoch FROM s.created_at) * 1000000)::bigint::text, s.id::text] AS position
  FROM trueup.holds AS s
 WHERE s.ledger = $1 AND s.wallet_id = $2${which}${behind}
 ORDER BY s.created_at DESC, s.id DESC LIMIT $3::integer`,
    values,
  };
}
