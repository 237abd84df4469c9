/**
 * Every refusal, in order of precedence: where several apply, the first one is told. The list in
 * docs/errors.md is compared with this one by a test, in both directions.
 */
export const REFUSAL_MEANINGS = {
  invalid_amount: 'The amount is not a whole number from 1 to the highest that one posting allows.',
  idempotency_conflict:
    'The key was used before, for something else; the message names what differs.',
  unknown_reason: 'The registry of reasons does not have this reason.',
  reason_not_allowed: 'The reason does not allow this direction, or not for this actor.',
  unknown_wallet: 'There is no such wallet, or the user has none in this currency.',
  unknown_entry: 'There is no such entry or transaction to reverse.',
  unknown_hold: 'There is no such hold.',
  same_wallet: 'A transfer names the same wallet twice.',
  currency_mismatch: 'The wallets, or the wallet and the request, have different currencies.',
  wallet_frozen: 'The wallet is frozen: no coins move in or out.',
  already_reversed: 'The entry was reversed before; that is possible once.',
  hold_closed: 'The hold was captured or released before.',
  hold_expired: 'The time of the hold is over.',
  exceeds_original: 'A reversal cannot take back more than the entry moved.',
  exceeds_hold: 'A capture cannot take more than the hold still keeps.',
  insufficient_funds: 'The wallet does not have so many coins available.',
  limit_exceeded: 'A spending limit does not leave room for so many coins in its present window.',
  ceiling_exceeded: 'The wallet may not hold so many coins.',
  linked_item_refused: 'Another item of the same link was refused, so this one was not posted.',
} as const;

/** Why a posting was refused. A refusal is a value: nothing was changed, and nothing was thrown. */
export type RefusalCode = keyof typeof REFUSAL_MEANINGS;

/** The codes in order of precedence. */
export const REFUSAL_CODES = Object.keys(REFUSAL_MEANINGS) as readonly RefusalCode[];

/** A refusal as its caller sees it. */
export interface Refusal {
  readonly status: 'refused';
  readonly code: RefusalCode;
  readonly message: string;
}

/** Makes a refusal. */
export function refusal(code: RefusalCode, message: string): Refusal {
  return { status: 'refused', code, message };
}
