import type { Kind } from '../model.js';
import type { Vocabulary } from './words.js';

/** What a proposal looks for: parts that columns play, and words in the names of tables. */

export type PartName = 'ledger' | 'wallet' | 'profile' | 'activity';

/** A part that a column is found for by its name and type. */
export interface Role extends Vocabulary {
  readonly role: string;
  readonly kinds: readonly Kind[];
  /** Fewer points than this are no ground for a guess. */
  readonly least: number;
  /** Trueup writes it, so it cannot be a generated column. */
  readonly written?: true;
  /** Only a column with a unique index of its own. */
  readonly unique?: true;
  /** What is off without it. */
  readonly off: string;
}

/** Types of coins. */
export const NUMBERS: readonly Kind[] = ['integer', 'numeric'];

/** Words in the name of a table that speak for a part, and how much. */
export const TABLE_WORDS: Readonly<Record<PartName, readonly (readonly [string, number])[]>> = {
  ledger: [
    ['ledger', 7],
    ['transaction', 7],
    ['entry', 7],
    ['posting', 6],
    ['movement', 6],
    ['journal', 5],
    ['line', 4],
    ['history', 3],
    ['txn', 5],
    ['tx', 4],
    ['event', 2],
    ['log', 2],
  ],
  wallet: [
    ['wallet', 7],
    ['purse', 6],
    ['account', 5],
    ['balance', 4],
  ],
  profile: [
    ['profile', 5],
    ['user', 4],
    ['player', 4],
    ['customer', 4],
    ['member', 4],
    ['account', 2],
  ],
  activity: [
    ['activity', 7],
    ['timeline', 6],
    ['event', 5],
    ['feed', 5],
    ['action', 3],
  ],
};

/** Words that say that a table is a copy, or something that is not the thing itself. */
export const LEFTOVER_WORDS: readonly string[] = [
  ...['archive', 'archived', 'backup', 'bak', 'old', 'legacy', 'tmp', 'temp', 'staging', 'test'],
  ...['copy', 'audit', 'snapshot', 'deleted', 'import'],
];

/** Words of tables that hold plans and papers about coins, not their movements. */
export const PAPER_WORDS: readonly string[] = [
  ...['order', 'invoice', 'cart', 'payment', 'request', 'withdrawal', 'limit', 'quota', 'hold'],
  ...['reservation', 'budget', 'price', 'product', 'refund', 'bid', 'offer', 'coupon', 'prize'],
];

/** Words of a link that names another wallet than the one that the entry is on. */
export const OTHER_WALLET_WORDS: readonly string[] = [
  ...['from', 'to', 'source', 'destination', 'sender', 'receiver', 'recipient', 'counterparty'],
  ...['related', 'other', 'parent', 'target', 'counter', 'debit', 'credit'],
  ...['by', 'created', 'approved', 'actor', 'admin', 'author', 'operator', 'staff'],
];
