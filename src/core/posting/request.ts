import type { Amount } from '../amount.js';

/** A wallet, by its id or by the user it belongs to: exactly one of the two. */
export interface WalletReference {
  readonly walletId?: string | undefined;
  /** Means the user's primary wallet, or the one of `currency`. */
  readonly userId?: string | undefined;
  /** With walletId: what the wallet's currency has to be. */
  readonly currency?: string | undefined;
}

/** What may be said of every posting. */
export interface PostingDetails {
  readonly note?: string | undefined;
  /** Anything that JSON can carry. */
  readonly metadata?: unknown;
  /** Who did it, for the record and for reasons that only some may use. */
  readonly actor?: string | undefined;
  /** The same key never posts twice, for ever. */
  readonly idempotencyKey?: string | undefined;
  /** Items of one batch with the same link are posted together or not at all; they stand side by side. */
  readonly link?: string | undefined;
}

/** Coins that come in from outside, or go out. */
export interface PostRequest extends WalletReference, PostingDetails {
  /** From 1 to MAX_AMOUNT; anything else is refused as `invalid_amount`. */
  readonly amount: Amount;
  readonly reason: string;
}

/** Coins that go from one wallet to another of the same currency. */
export interface TransferRequest extends PostingDetails {
  readonly from: WalletReference;
  readonly to: WalletReference;
  readonly amount: Amount;
  /** Default: `p2p_transfer`. */
  readonly reason?: string | undefined;
}

/** Takes back what an entry, or all entries of a transaction, did: once, wholly or in part. */
export interface ReverseRequest extends PostingDetails {
  readonly entryId?: string | undefined;
  readonly transactionId?: string | undefined;
  /** Default: all of it. */
  readonly amount?: Amount | undefined;
  /** Default: `reversal`. */
  readonly reason?: string | undefined;
}

/** Sets coins aside. They stay in the balance and leave what is available. */
export interface HoldRequest extends WalletReference, PostingDetails {
  readonly amount: Amount;
  readonly reason: string;
  /** After so many seconds what is left is free again. Default: never. */
  readonly expiresInSeconds?: number | undefined;
}

/** Takes coins of a hold out of the wallet. */
export interface CaptureRequest extends PostingDetails {
  readonly holdId: string;
  /** Default: all that is left of the hold. */
  readonly amount?: Amount | undefined;
  /** Where the coins go. Default: out. */
  readonly to?: WalletReference | undefined;
  /** Free what is left of the hold afterwards. Default: it goes on. */
  readonly releaseRest?: boolean | undefined;
}

/** Frees what is left of a hold. */
export interface ReleaseRequest {
  readonly holdId: string;
  readonly idempotencyKey?: string | undefined;
  readonly link?: string | undefined;
}

/** One item of a batch. */
export type PostItem =
  | ({ readonly type: 'credit' } & PostRequest)
  | ({ readonly type: 'debit' } & PostRequest)
  | ({ readonly type: 'transfer' } & TransferRequest)
  | ({ readonly type: 'reverse' } & ReverseRequest)
  | ({ readonly type: 'hold' } & HoldRequest)
  | ({ readonly type: 'capture' } & CaptureRequest)
  | ({ readonly type: 'release' } & ReleaseRequest);

/** The name under which the state keeps the wallet that a reference means. */
export function referenceKey(reference: WalletReference): string {
  return reference.walletId === undefined
    ? `user ${JSON.stringify([reference.userId, reference.currency ?? null])}`
    : `wallet ${reference.walletId}`;
}

/** An item that is ready to be decided: its metadata is JSON text, and a new hold would have this id. */
export interface PreparedItem {
  readonly item: PostItem;
  /** As canonical JSON; null where there is none. */
  readonly metadata: string | null;
  readonly newHoldId: string;
}
