import type { Kind } from '../model.js';
import type { Vocabulary } from './words.js';

/** The parts that a proposal looks for, with the words and types that speak for them. */

export type PartName = 'ledger' | 'wallet' | 'profile';

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

const NUMBERS: readonly Kind[] = ['integer', 'numeric'];

export const AMOUNT: Role = {
  role: 'amount',
  kinds: NUMBERS,
  least: 4,
  off: 'there is no ledger without signed amounts',
  good: [
    ['amount', 10],
    ['delta', 9],
    ['change', 7],
    ['coin', 8],
    ['value', 6],
    ['point', 6],
    ['credit', 5],
    ['quantity', 4],
    ['qty', 4],
    ['sum', 5],
    ['betrag', 8],
  ],
  never: [
    ...['balance', 'total', 'after', 'before', 'pending', 'minimum', 'maximum', 'min', 'max'],
    ...['limit', 'fee', 'tax', 'earned', 'earning', 'lifetime', 'id', 'count', 'price'],
    ...['original', 'rate', 'remaining', 'discount', 'held', 'reserved', 'refunded', 'cached'],
  ],
};

const EARNINGS: Role = {
  role: 'lifetimeEarnings',
  kinds: NUMBERS,
  least: 6,
  written: true,
  off: 'lifetime earnings are not kept here',
  good: [
    ['lifetime earning', 10],
    ['lifetime earned', 10],
    ['total earned', 10],
    ['total earning', 10],
    ['total received', 10],
    ['lifetime credit', 8],
    ['total credited', 8],
    ['total income', 7],
    ['earned', 8],
    ['earning', 8],
    ['lifetime', 6],
    ['received', 6],
  ],
  never: [
    ...[
      'spent',
      'spending',
      'count',
      'id',
      'pending',
      'today',
      'daily',
      'weekly',
      'monthly',
      'day',
    ],
    ...['last', 'debit', 'season', 'week', 'month', 'year', 'withdrawn', 'at', 'limit', 'rate'],
    ...['xp', 'experience', 'badge', 'trophy', 'like', 'medal', 'star', 'achievement', 'vote'],
  ],
};

const BALANCE: Role = {
  role: 'balance',
  kinds: NUMBERS,
  least: 4,
  written: true,
  off: 'no balance is kept here',
  good: [
    ['balance', 10],
    ['saldo', 9],
    ['coin', 7],
    ['fund', 7],
    ['credit', 6],
    ['point', 6],
    ['money', 5],
    ['gold', 5],
    ['cash', 5],
    ['token', 4],
    ['gem', 4],
    ['amount', 4],
  ],
  never: [
    ...[
      'pending',
      'hold',
      'held',
      'reserved',
      'locked',
      'blocked',
      'frozen',
      'min',
      'max',
      'limit',
    ],
    ...['opening', 'initial', 'starting', 'lifetime', 'earned', 'earning', 'received', 'spent'],
    ...['spending', 'available', 'after', 'before', 'previous', 'old', 'id', 'count', 'daily'],
    ...[
      'weekly',
      'monthly',
      'overdraft',
      'target',
      'escrow',
      'withdrawn',
      'price',
      'delta',
      'bonus',
    ],
    ...['version', 'rate', 'score', 'at', 'minimum', 'maximum', 'floor', 'ceiling', 'threshold'],
  ],
};

/**
 * A profile shows many numbers, and taking a game's points for coins would overwrite them: so only
 * what says balance or coins, or the very word of the wallet's balance.
 */
export function shownBalance(walletWords: readonly string[]): Role {
  const own = walletWords.filter((word) => word.length >= 3 && !VAGUE_WORDS.includes(word));
  const good = [
    ['balance', 10],
    ['saldo', 9],
    ['coin', 8],
    ...own.map((word) => [word, 8] as const),
  ] as const;
  return { ...BALANCE, good, least: 6 };
}

const VAGUE_WORDS = ['cached', 'current', 'total', 'amount', 'value', 'the', 'wallet', 'user'];

const UPDATED: Role = {
  role: 'updatedAt',
  kinds: ['timestamp'],
  least: 5,
  written: true,
  off: 'the time of a change is not written',
  good: [
    ['updated at', 10],
    ['last updated', 9],
    ['modified at', 9],
    ['last modified', 9],
    ['updated', 8],
    ['modified', 8],
    ['changed at', 8],
    ['update time', 8],
    ['date modified', 8],
    ['last change', 7],
    ['touched', 6],
  ],
  never: ['created', 'name', 'email', 'password', 'login', 'avatar', 'username', 'by'],
};

/** What is looked for beside the ids and links of the tables, in the order of the mapping file. */
export const ROLES: Readonly<Record<PartName, readonly Role[]>> = {
  ledger: [
    {
      role: 'reason',
      kinds: ['text'],
      least: 4,
      off: 'history tells no reasons, and rules by reason do not apply',
      good: [
        ['reason', 10],
        ['reason code', 10],
        ['purpose', 8],
        ['type', 7],
        ['kind', 7],
        ['cause', 7],
        ['category', 6],
        ['operation', 6],
        ['event', 5],
        ['source', 4],
      ],
      never: ['id', 'currency', 'status', 'note', 'model', 'content', 'mime', 'url', 'description'],
    },
    {
      role: 'balanceAfter',
      kinds: NUMBERS,
      least: 5,
      off: 'running balances are not checked',
      good: [
        ['balance after', 10],
        ['running balance', 10],
        ['resulting balance', 10],
        ['new balance', 9],
        ['running total', 9],
        ['closing balance', 8],
        ['balance', 6],
        ['after', 5],
      ],
      never: ['before', 'old', 'opening', 'previous', 'id', 'pending', 'available', 'delta', 'at'],
    },
    {
      role: 'idempotencyKey',
      kinds: ['text', 'uuid'],
      least: 5,
      unique: true,
      off: 'the same key can be posted twice',
      good: [
        ['idempotency key', 10],
        ['idempotency', 10],
        ['idempotent', 9],
        ['dedup', 9],
        ['dedupe', 9],
        ['request id', 8],
        ['request key', 8],
        ['external id', 7],
        ['external reference', 7],
        ['external ref', 7],
        ['key', 7],
        ['nonce', 6],
        ['reference', 6],
        ['ref', 6],
      ],
      never: ['api', 'secret', 'public', 'private', 'foreign', 'sort', 'hash', 'wallet', 'user'],
    },
    {
      role: 'createdAt',
      kinds: ['timestamp'],
      least: 5,
      off: 'history and statements know no times',
      good: [
        ['created at', 10],
        ['occurred at', 9],
        ['posted at', 9],
        ['booked at', 9],
        ['inserted at', 9],
        ['created', 8],
        ['recorded at', 8],
        ['happened at', 8],
        ['timestamp', 8],
        ['transaction date', 7],
        ['entry date', 7],
        ['ts', 7],
        ['time', 6],
        ['date', 6],
        ['at', 6],
      ],
      never: [
        ...['updated', 'modified', 'deleted', 'expire', 'expires', 'expired', 'expiry', 'settled'],
        ...['reversed', 'due', 'cancelled', 'canceled', 'seen', 'processed', 'by'],
      ],
    },
  ],
  wallet: [
    BALANCE,
    EARNINGS,
    {
      role: 'pendingBalance',
      kinds: NUMBERS,
      least: 5,
      written: true,
      off: 'coins cannot be put on hold',
      good: [
        ['pending balance', 10],
        ['held balance', 9],
        ['locked balance', 8],
        ['reserved', 8],
        ['on hold', 8],
        ['pending', 7],
        ['held', 7],
        ['hold', 6],
        ['blocked', 6],
        ['frozen balance', 6],
        ['escrow', 5],
      ],
      never: ['id', 'count', 'until', 'at', 'reason', 'limit', 'max', 'min', 'by'],
    },
    {
      role: 'allowOverdraft',
      kinds: ['boolean'],
      least: 5,
      off: 'no wallet may be overdrawn through Trueup',
      good: [
        ['allow overdraft', 10],
        ['allow negative', 9],
        ['overdraft', 8],
        ['negative', 6],
      ],
      never: ['is', 'was', 'has', 'overdrawn'],
    },
    UPDATED,
  ],
  profile: [EARNINGS, UPDATED],
};

/** What names the user of a profile. */
export const USER: Role = {
  role: 'user',
  kinds: ['integer', 'uuid', 'text'],
  least: 6,
  off: 'users cannot be named (--user-id)',
  good: [
    ['user id', 10],
    ['user', 9],
    ['owner id', 8],
    ['customer id', 8],
    ['player id', 8],
    ['member id', 8],
    ['person id', 7],
    ['owner', 7],
    ['account id', 7],
    ['uid', 7],
  ],
  never: [
    ...['created', 'updated', 'by', 'invited', 'referrer', 'referred', 'parent', 'last', 'name'],
    ...['username', 'type', 'agent', 'email', 'role', 'status', 'group'],
  ],
};

/** Of the wallets of one profile, the one that it shows; looked for where it may have several. */
export const SEVERAL_WALLETS: readonly Role[] = [
  {
    role: 'currency',
    kinds: ['text'],
    least: 5,
    off: 'all wallets are of one currency',
    good: [['currency', 10]],
    never: ['id', 'name', 'symbol'],
  },
  {
    role: 'primary',
    kinds: ['boolean'],
    least: 5,
    off: 'a profile may have one wallet only',
    good: [
      ['primary', 10],
      ['main', 8],
      ['default', 7],
    ],
    never: [],
  },
];

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
