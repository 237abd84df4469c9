import type { CatalogColumn, CatalogTable } from '../catalog.js';
import {
  findColumn,
  nameClues,
  relationFault,
  type Clue,
  type Played,
  type Unplayed,
} from './columns.js';
import { ID_KINDS, keyOf, type Link } from './links.js';
import { AMOUNT, LEDGER_ROLES } from './ledger-roles.js';
import { OTHER_WALLET_WORDS, type PartName, type Role } from './roles.js';
import {
  PROFILE_ROLES,
  SEVERAL_WALLETS,
  shownBalance,
  USER,
  WALLET_ROLES,
} from './wallet-roles.js';
import { likeness } from './words.js';

/** A table seen as one part of an economy: which column would play what, and what speaks for it. */
export interface Shape {
  readonly part: PartName;
  readonly table: CatalogTable;
  readonly played: readonly Played[];
  readonly unplayed: readonly Unplayed[];
  readonly clues: readonly Clue[];
  /** Why it cannot be this part after all; undefined: it can. */
  readonly fault: string | undefined;
}

/** How much a column that was found for a role speaks for its table. */
const ROLE_POINTS: Readonly<Record<string, number>> = {
  reason: 3,
  balanceAfter: 3,
  idempotencyKey: 3,
  createdAt: 3,
  lifetimeEarnings: 3,
  pendingBalance: 2,
  allowOverdraft: 2,
  updatedAt: 1,
};

/** Finds columns for roles, one after the other; no column plays twice. */
export function play(
  table: CatalogTable,
  roles: readonly Role[],
  taken: Set<string>,
): { played: Played[]; unplayed: Unplayed[]; clues: Clue[] } {
  const played: Played[] = [];
  const unplayed: Unplayed[] = [];
  const clues: Clue[] = [];
  for (const role of roles) {
    const found = findColumn(table, role, taken);
    if (found.played === undefined) {
      unplayed.push({ role: role.role, off: role.off, because: found.rejected });
      continue;
    }
    taken.add(found.played.column.name);
    played.push(found.played);
    const points = ROLE_POINTS[role.role] ?? found.played.points;
    clues.push({ key: role.role, points, text: `${found.played.column.quoted} for ${role.role}` });
  }
  return { played, unplayed, clues };
}

/** A table as a ledger without its link; undefined where nothing in it looks like an amount. */
export function ledgerShape(table: CatalogTable): Shape | undefined {
  const keys = foreignColumns(table);
  const amount = findColumn(table, AMOUNT, keys).played;
  const sides = debitAndCredit(table);
  if (amount === undefined && !sides) return undefined;
  const id = entryId(table);
  const taken = new Set([...keys, id?.name ?? '', amount?.column.name ?? '']);
  const { played, unplayed, clues } = play(table, LEDGER_ROLES, taken);
  const clash =
    amount === undefined || (sides && likeness(amount.column.words, SIDES) > 0)
      ? 'debit and credit stand in two columns, and Trueup needs one amount with a sign'
      : amount.column.neverNegative
        ? `a condition keeps ${amount.column.quoted} above zero, so it has no sign for coins that go out`
        : undefined;
  return {
    part: 'ledger',
    table,
    played: [
      ...(id === undefined ? [] : [idPlayed(id)]),
      ...(amount === undefined ? [] : [amount]),
      ...played,
    ],
    unplayed,
    clues: [
      ...(amount === undefined ? [] : [clueOf(amount)]),
      ...clues,
      ...nameClues(table, 'ledger'),
      ...ledgerClues(table, id),
    ],
    fault:
      relationFault(table) ?? clash ?? (id === undefined ? 'no column names an entry' : undefined),
  };
}

const SIDES = {
  good: [
    ['debit', 5],
    ['credit', 5],
  ],
  never: ['id', 'account'],
} as const;

function debitAndCredit(table: CatalogTable): boolean {
  const numbers = table.columns.filter(({ kind }) => kind === 'integer' || kind === 'numeric');
  return SIDES.good.every((side) =>
    numbers.some(({ words }) => likeness(words, { good: [side], never: SIDES.never }) >= 4),
  );
}

function ledgerClues(table: CatalogTable, id: CatalogColumn | undefined): Clue[] {
  const clues: Clue[] = [];
  if (id?.unique === true) clues.push({ key: 'id', points: 2, text: 'each entry has an id' });
  const status = table.columns.find(({ words }) => words.at(-1) === 'status');
  if (status !== undefined) {
    const text = `${status.quoted}: what has a status changes, and entries do not`;
    clues.push({ key: 'status', points: -2, text });
  }
  return clues;
}

/** What names an entry: a key of its own, or the id of a partitioned table, whose key has more. */
function entryId(table: CatalogTable): CatalogColumn | undefined {
  const key = keyOf(table);
  if (key !== undefined) return key;
  const ids = table.columns.filter(({ kind }) => ID_KINDS.has(kind));
  const named = (column: CatalogColumn): boolean => {
    const { words } = column;
    return words.join(' ') === 'id' || (column.partOfKey && words.at(-1) === 'id');
  };
  const own = new Set(foreignColumns(table));
  return ids.find((column) => named(column) && !own.has(column.name));
}

/** A table as a wallet; undefined where nothing in it looks like a balance. */
export function walletShape(table: CatalogTable, key: CatalogColumn): Shape | undefined {
  const taken = new Set([...foreignColumns(table), key.name]);
  const { played, unplayed, clues } = play(table, WALLET_ROLES, taken);
  const balance = played.find(({ role }) => role === 'balance');
  const lack = unplayed.find(({ role }) => role === 'balance');
  if (balance === undefined && (lack?.because.length ?? 0) === 0) return undefined;
  const entryLike = findColumn(table, AMOUNT, taken).played;
  const fault = !key.unique
    ? `${key.quoted} has no unique index of its own`
    : balance === undefined
      ? (lack?.because ?? []).join('; ')
      : undefined;
  return {
    part: 'wallet',
    table,
    played: [{ ...idPlayed(key), because: keySays(key) }, ...played],
    unplayed: unplayed.filter(({ role }) => role !== 'balance'),
    clues: [
      ...clues,
      ...nameClues(table, 'wallet'),
      ...(entryLike !== undefined && entryLike.points >= 9
        ? [{ key: 'entries', points: -5, text: `${entryLike.column.quoted} belongs to entries` }]
        : []),
    ],
    fault: relationFault(table) ?? fault,
  };
}

const LINK_POINTS = { 'foreign key': 8, shared: 6, name: 4 } as const;

const HOW = {
  'foreign key': 'foreign key',
  name: 'by its name only: there is no foreign key',
} as const;

/** What a link to the wallets says for a ledger. */
export function linkClues(link: Link): Clue[] {
  const { column, target, how } = link;
  const text =
    how === 'shared'
      ? `${column.quoted} and ${link.key.quoted} of ${target.quoted} name the same row`
      : `${column.quoted} names rows of ${target.quoted} (${HOW[how]})`;
  return [
    { key: 'link', points: LINK_POINTS[how], text },
    ...(column.indexed
      ? [{ key: 'index', points: 1, text: `an index finds the entries of a wallet` }]
      : []),
  ];
}

/** Why a link cannot be that of entries to their wallets. */
export function linkFault({ column }: Link): string | undefined {
  const other = column.words.find((word) => OTHER_WALLET_WORDS.includes(word));
  if (other !== undefined) {
    return `${column.quoted} says "${other}": an entry is on one wallet, and names it by one column`;
  }
  if (!column.readable) return `${column.quoted} cannot be read by this role`;
  return column.unique
    ? `${column.quoted} is unique: one row a wallet is no history of it`
    : undefined;
}

/** A table as the profile of a wallet; undefined where it shows no coins. */
export function profileShape(link: Link, balance: CatalogColumn): Shape | undefined {
  const { target: table, key, column, how } = link;
  const keys = foreignColumns(table);
  const taken = new Set([...keys, key.name]);
  const roles = [shownBalance(balance.words), ...PROFILE_ROLES];
  const { played, unplayed, clues } = play(table, roles, taken);
  if (!played.some(({ role }) => role === 'balance' || role === 'lifetimeEarnings'))
    return undefined;
  const user = userOf(table, key);
  return {
    part: 'profile',
    table,
    played: [{ ...idPlayed(key), because: keySays(key) }, user, ...played],
    unplayed,
    clues: [
      { key: 'link', points: LINK_POINTS[how], text: profileLinkText(link) },
      column.unique
        ? { key: 'one', points: 4, text: `${column.quoted} is unique: one wallet a profile` }
        : {
            key: 'one',
            points: -4,
            text: `${column.quoted} is not unique: a profile may have several wallets`,
          },
      ...clues,
      ...nameClues(table, 'profile'),
    ],
    fault:
      relationFault(table) ??
      (key.unique ? undefined : `${key.quoted} has no unique index of its own`),
  };
}

export function profileLinkText({ column, key, target, how }: Link): string {
  if (how === 'shared') {
    return `${column.quoted} of the wallet and ${key.quoted} of ${target.quoted} name the same user`;
  }
  return `${column.quoted} of the wallet names rows of ${target.quoted} (${HOW[how]})`;
}

function userOf(table: CatalogTable, key: CatalogColumn): Played {
  const found = findColumn(table, USER, new Set()).played;
  if (found !== undefined) return found;
  const because = 'no column names a user, so the row itself stands for him';
  return { role: 'user', column: key, points: 0, because };
}

/** Where a profile may have several wallets: which of them it shows. */
export function severalWallets(table: CatalogTable, taken: ReadonlySet<string>): Played[] {
  return SEVERAL_WALLETS.flatMap((role) => findColumn(table, role, taken).played ?? []);
}

/** Columns that reference other tables: they are ids, whatever their names say. */
export function foreignColumns(table: CatalogTable): Set<string> {
  return new Set(table.foreignKeys.flatMap(({ columns }) => columns));
}

export function idPlayed(column: CatalogColumn): Played {
  return { role: 'id', column, points: 0, because: keySays(column) };
}

function keySays(column: CatalogColumn): string {
  if (column.primaryKey) return `${column.type}, the primary key`;
  if (column.unique) return `${column.type}, unique`;
  return `${column.type}, by its name (no index makes it unique alone)`;
}

function clueOf({ role, points, column }: Played): Clue {
  return { key: role, points, text: `${column.quoted} for ${role}` };
}
