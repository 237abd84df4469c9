import { NUMBERS, type Role } from './roles.js';

/** The parts of wallets and profiles beside their ids and links. */

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

/** What a wallet holds. */
export const BALANCE: Role = {
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

/** What is looked for in a wallet, in the order of the mapping file. */
export const WALLET_ROLES: readonly Role[] = [
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
];

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

/** What is looked for in a profile beside its balance. */
export const PROFILE_ROLES: readonly Role[] = [EARNINGS, UPDATED];

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
