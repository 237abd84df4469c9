import { createHash } from 'node:crypto';
import { wrong } from '../../core/arguments.js';
import type { Position } from './order.js';

/** Where a page ended. */
export interface Place {
  readonly kind: 'history' | 'holds' | 'activity';
  /** The table, so that a cursor is good for one ledger only. It is in the checksum, not in the text. */
  readonly ledger: string;
  /** Of activity: the user. */
  readonly walletId: string;
  readonly order: 'newest' | 'oldest';
  readonly position: Position;
}

const CHECKSUM_BYTES = 6;

/** A place as a token that fits into a URL: a checksum and the place, in base64url. */
export function writeCursor(place: Place): string {
  const { kind, walletId, order, position } = place;
  const text = Buffer.from(JSON.stringify([kind, walletId, order, ...position]));
  return Buffer.concat([checksum(place.ledger, text), text]).toString('base64url');
}

/**
 * The position in a token. It may only be used where it came from.
 *
 * @throws TrueupError `invalid_argument` where it is damaged, or of another wallet or order
 */
export function readCursor(token: unknown, wanted: Omit<Place, 'position'>): Position {
  const [kind, walletId, order, ...position] = partsOf(token, wanted.ledger);
  if (kind !== wanted.kind) throw wrong(`the cursor is not one of ${wanted.kind}`);
  if (walletId !== wanted.walletId)
    throw wrong(`the cursor belongs to another ${wanted.kind === 'activity' ? 'user' : 'wallet'}`);
  if (order !== wanted.order)
    throw wrong(`the cursor does not belong to the order ${wanted.order}`);
  return position;
}

function partsOf(token: unknown, ledger: string): readonly string[] {
  const bytes = Buffer.from(typeof token === 'string' ? token : '', 'base64url');
  const text = bytes.subarray(CHECKSUM_BYTES);
  // Decoding forgives characters that do not belong: written again, the token has to be the same.
  const intact =
    bytes.toString('base64url') === token &&
    checksum(ledger, text).equals(bytes.subarray(0, CHECKSUM_BYTES));
  if (!intact) throw wrong('the cursor is damaged, or of another ledger');
  return JSON.parse(text.toString()) as readonly string[];
}

function checksum(ledger: string, text: Buffer): Buffer {
  const hash = createHash('sha256').update(ledger).update('\0').update(text);
  return hash.digest().subarray(0, CHECKSUM_BYTES);
}
