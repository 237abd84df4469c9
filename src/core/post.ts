import { parseAmount, MAX_AMOUNT } from './amount.js';

/** Why a posting was refused. A refusal is a value: nothing was changed, and nothing was thrown. */
export type RefusalCode =
  'invalid_amount' | 'unknown_wallet' | 'idempotency_conflict' | 'insufficient_funds';

/** Coins that come in or go out: which wallet, how many, and why. */
export interface PostRequest {
  /** The wallet, by its id or by the user it belongs to. */
  readonly walletId?: string;
  readonly userId?: string;
  /** Whole coins: bigint, safe integer, or decimal digits. */
  readonly amount: unknown;
  readonly reason: string;
  readonly note?: string;
  readonly metadata?: unknown;
  /** Who did it, for the record. */
  readonly actor?: string;
  /** The same key never posts twice. */
  readonly idempotencyKey?: string;
}

/** What became of a posting. */
export type PostOutcome =
  | {
      readonly status: 'posted';
      readonly entryId: string;
      readonly walletId: string;
      /** Signed. */
      readonly amount: bigint;
      /** The wallet's balance after the entry; null where the ledger does not record it. */
      readonly balanceAfter: bigint | null;
      /** The key was known: this is the first result, and nothing new was posted. */
      readonly replayed: boolean;
    }
  | { readonly status: 'refused'; readonly code: RefusalCode; readonly message: string };

/** The wallet as it stands under its lock. */
export interface WalletState {
  readonly walletId: string;
  readonly balance: bigint;
  readonly allowOverdraft: boolean;
}

/** An entry that was posted under the same key before. */
export interface EarlierEntry {
  readonly entryId: string;
  readonly walletId: string;
  readonly amount: bigint;
  readonly reason: string | null;
  readonly balanceAfter: bigint | null;
}

/** What to do: refuse, answer with the earlier entry, or insert one. */
export type PostDecision =
  | { readonly kind: 'answer'; readonly outcome: PostOutcome }
  | { readonly kind: 'insert'; readonly amount: bigint };

/**
 * Decides one posting, without waiting and without looking at anything else. The refusals stand in
 * order of precedence: the first that applies is the answer.
 */
export function decidePost(
  direction: 'credit' | 'debit',
  request: Pick<PostRequest, 'amount' | 'reason'>,
  wallet: WalletState | undefined,
  earlier: EarlierEntry | undefined,
): PostDecision {
  const absolute = parseAmount(request.amount);
  if (absolute === undefined) {
    return refuse('invalid_amount', `an amount is a whole number from 1 to ${String(MAX_AMOUNT)}`);
  }
  if (wallet === undefined) return refuse('unknown_wallet', 'there is no such wallet');
  const amount = direction === 'credit' ? absolute : -absolute;
  if (earlier !== undefined) return answerAgain(request, wallet, amount, earlier);
  const after = wallet.balance + amount;
  if (direction === 'debit' && after < 0n && !wallet.allowOverdraft) {
    return refuse('insufficient_funds', `wallet ${wallet.walletId} does not hold so many coins`);
  }
  return { kind: 'insert', amount };
}

function answerAgain(
  request: Pick<PostRequest, 'reason'>,
  wallet: WalletState,
  amount: bigint,
  earlier: EarlierEntry,
): PostDecision {
  const differs = [
    ...(earlier.walletId === wallet.walletId ? [] : ['wallet']),
    ...(earlier.amount === amount ? [] : ['amount']),
    ...(earlier.reason === null || earlier.reason === request.reason ? [] : ['reason']),
  ];
  if (differs.length > 0) {
    return refuse(
      'idempotency_conflict',
      `the key was used for entry ${earlier.entryId} with another ${differs.join(' and another ')}`,
    );
  }
  const { entryId, walletId, balanceAfter } = earlier;
  return {
    kind: 'answer',
    outcome: { status: 'posted', entryId, walletId, amount, balanceAfter, replayed: true },
  };
}

function refuse(code: RefusalCode, message: string): PostDecision {
  return { kind: 'answer', outcome: { status: 'refused', code, message } };
}
