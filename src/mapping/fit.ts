import type { Column, Kind, ResolvedMapping } from './model.js';

type Columns = Readonly<Record<string, Column | undefined>>;
type Parts = Pick<ResolvedMapping, 'ledger' | 'wallet' | 'profile'>;

const IDS: readonly Kind[] = ['integer', 'uuid', 'text'];
const NUMBERS: readonly Kind[] = ['integer', 'numeric'];
const TEXTS: readonly Kind[] = ['text'];

/** Which families of types can play which role. */
const ALLOWED: Readonly<Record<string, Readonly<Record<string, readonly Kind[]>>>> = {
  ledger: {
    id: IDS,
    wallet: IDS,
    amount: NUMBERS,
    reason: TEXTS,
    note: TEXTS,
    metadata: ['json'],
    actor: ['text', 'integer', 'uuid'],
    idempotencyKey: ['text', 'uuid'],
    transaction: IDS,
    counterparty: IDS,
    balanceAfter: NUMBERS,
    sequence: ['integer'],
    reverses: IDS,
    hold: ['uuid', 'text'],
    writer: ['xid8'],
    createdAt: ['timestamp'],
  },
  wallet: {
    id: IDS,
    balance: NUMBERS,
    profile: IDS,
    lifetimeEarnings: NUMBERS,
    pendingBalance: NUMBERS,
    allowOverdraft: ['boolean'],
    minBalance: NUMBERS,
    maxBalance: NUMBERS,
    currency: TEXTS,
    primary: ['boolean'],
    frozen: ['boolean'],
    frozenReason: TEXTS,
    updatedAt: ['timestamp'],
  },
  profile: {
    id: IDS,
    link: IDS,
    user: IDS,
    balance: NUMBERS,
    lifetimeEarnings: NUMBERS,
    updatedAt: ['timestamp'],
  },
};

/** The caches that Trueup writes. */
const CACHES = ['balance', 'lifetimeEarnings', 'updatedAt'];

/**
 * Finds every reason why the columns cannot play their parts: a type that does not suit, two ends
 * of a reference that do not match, a cache too narrow for the ledger's amounts, a key that is not
 * unique.
 */
export function checkFit(parts: Parts): { problems: string[]; sharedProfilesPossible: boolean } {
  const problems: string[] = [];
  const ledger = columnsOf(parts.ledger);
  const wallet = columnsOf(parts.wallet);
  const profile = parts.profile === undefined ? undefined : columnsOf(parts.profile);
  checkTables(parts, problems);
  checkTypes('ledger', ledger, problems);
  checkTypes('wallet', wallet, problems);
  if (profile !== undefined) checkTypes('profile', profile, problems);
  problems.push(...sameColumns('ledger', ledger), ...sameColumns('wallet', wallet));

  checkReference('ledger.wallet', ledger['wallet'], 'wallet.id', wallet['id'], problems);
  checkReference(
    'ledger.counterparty',
    ledger['counterparty'],
    'wallet.id',
    wallet['id'],
    problems,
  );
  checkReference('ledger.reverses', ledger['reverses'], 'ledger.id', ledger['id'], problems);
  checkCaches('wallet', wallet, ledger['amount'], problems);
  checkUnique('wallet.id', wallet['id'], problems);
  if (profile !== undefined) {
    checkReference('wallet.profile', profile['link'], 'profile.id', profile['id'], problems);
    checkCaches('profile', profile, ledger['amount'], problems);
    checkUnique('profile.id', profile['id'], problems);
    // The link is a column of the wallet table, and was looked at as wallet.profile.
    problems.push(...sameColumns('profile', { ...profile, link: undefined }));
  }
  return { problems, sharedProfilesPossible: !isShownOnce(profile?.['link'], wallet['primary']) };
}

/** An index promises that no profile is shown by two wallets (that are primary, where that is mapped). */
function isShownOnce(link: Column | undefined, primary: Column | undefined): boolean {
  if (link === undefined || link.unique) return true;
  if (primary === undefined) return false;
  return link.uniqueWhere.some((where) => where === primary.name || where === primary.quoted);
}

function checkTables({ ledger, wallet, profile }: Parts, problems: string[]): void {
  if (wallet.table.oid === ledger.table.oid) {
    problems.push('wallet.table: it is the ledger table; a wallet needs a row of its own');
  }
  if (profile?.table.oid === ledger.table.oid) {
    problems.push('profile.table: it is the ledger table; a profile needs a row of its own');
  }
  if (profile?.table.oid === wallet.table.oid) {
    problems.push('profile.table: it is the wallet table; leave the profile part out');
  }
}

/** Roles that one column may play together: it names the row, and that is what the other one needs. */
const SHARED_IDS: readonly string[] = ['wallet.id wallet.profile', 'profile.id profile.user'];

/** The roles of a part that name a column which another role has already: it cannot hold both. */
export function sameColumns(part: string, columns: Columns): string[] {
  const first = new Map<string, string>();
  return Object.entries(columns).flatMap(([role, column]) => {
    if (column === undefined) return [];
    const other = first.get(column.name);
    if (other === undefined) {
      first.set(column.name, role);
      return [];
    }
    const both = [`${part}.${other} ${part}.${role}`, `${part}.${role} ${part}.${other}`];
    if (both.some((pair) => SHARED_IDS.includes(pair))) return [];
    return [`${part}.${role}: ${column.quoted} is ${part}.${other} already`];
  });
}

function columnsOf(part: object): Columns {
  return Object.fromEntries(Object.entries(part).filter(([role]) => role !== 'table'));
}

function checkTypes(part: string, columns: Columns, problems: string[]): void {
  for (const [role, column] of Object.entries(columns)) {
    const allowed = ALLOWED[part]?.[role];
    if (column === undefined || allowed === undefined || allowed.includes(column.kind)) continue;
    problems.push(
      `${part}.${role}: ${column.quoted} is ${column.type}, not ${allowed.join(' or ')}`,
    );
  }
}

function checkReference(
  role: string,
  column: Column | undefined,
  target: string,
  key: Column | undefined,
  problems: string[],
): void {
  if (column === undefined || key === undefined || column.kind === key.kind) return;
  problems.push(
    `${role}: ${column.quoted} is ${column.type}, while ${target} (${key.quoted}) is ${key.type}`,
  );
}

function checkCaches(
  part: string,
  columns: Columns,
  amount: Column | undefined,
  problems: string[],
): void {
  for (const role of CACHES) {
    const column = columns[role];
    if (column === undefined) continue;
    if (column.generated) {
      problems.push(
        `${part}.${role}: ${column.quoted} is a generated column, which nobody can write`,
      );
    } else if (role !== 'updatedAt' && amount !== undefined && column.scale < amount.scale) {
      problems.push(
        `${part}.${role}: ${column.quoted} is ${column.type} and cannot hold every sum of ` +
          `ledger.amount, which is ${amount.type}`,
      );
    }
  }
}

function checkUnique(role: string, column: Column | undefined, problems: string[]): void {
  if (column?.unique !== false) return;
  problems.push(`${role}: ${column.quoted} has no unique index of its own`);
}
