import { createHash, randomUUID } from 'node:crypto';
import type { Opening } from '../core/opening.js';
import type { Column, Ledger, ResolvedMapping } from '../mapping/model.js';
import type { Filling, LedgerDemandsRow } from './opening-statements.js';

/** How an opening entry fills the columns of a ledger, and what keeps it from doing so. */

/** The reason of opening entries, unless another is asked for. */
export const OPENING_REASON = 'opening_balance';

const NOTE = 'opening balance, posted by trueup adopt';

type Role = Exclude<keyof Ledger, 'table'>;

/** How one role is filled: for each entry, or by the database. */
type Filler = (
  column: Column,
  opening: Opening,
  context: { readonly mapping: ResolvedMapping; readonly reason: string },
) => string;

/** Filled wherever the mapping names the column. */
const ALWAYS: Readonly<Partial<Record<Role, Filler>>> = {
  wallet: (_, { walletId }) => walletId,
  amount: (_, { amount }) => amount,
  balanceAfter: (_, { balance }) => balance,
  sequence: (_, { entriesBefore }) => String(entriesBefore + 1),
  reason: (_, __, { reason }) => reason,
  note: (column) => NOTE.slice(0, lengthOf(column)),
  idempotencyKey: (column, { walletId }, { mapping }) =>
    column.kind === 'uuid'
      ? uuidFrom(`${OPENING_REASON} ${mapping.ledger.table.quoted} ${walletId}`)
      : `${OPENING_REASON}:${walletId}`,
};

/** Filled only where the ledger demands it. */
const ON_DEMAND: Readonly<Partial<Record<Role, Filler>>> = {
  id: () => randomUUID(),
  transaction: () => randomUUID(),
  actor: (column) => 'trueup'.slice(0, lengthOf(column)),
  metadata: () => '{}',
};

const UUID_LENGTH = 36;

/** Whether a column of this type can be filled on demand. */
function fillable(role: Role, column: Column): boolean {
  if (role === 'metadata') return true;
  if (role === 'actor') return column.kind === 'text';
  return column.kind === 'uuid' || (column.kind === 'text' && lengthOf(column) >= UUID_LENGTH);
}

/**
 * Everything that keeps opening entries from being inserted, as far as the catalog tells: columns
 * that nobody fills, and a reason that is too long.
 */
export function openingObstacles(
  { ledger }: ResolvedMapping,
  demands: LedgerDemandsRow,
  reason: string,
): string[] {
  const obstacles: string[] = [];
  const roles = new Map(rolesOf(ledger).map(([role, column]) => [column.name, role]));
  for (const name of demands.filledByTriggers ? [] : demands.required) {
    const role = roles.get(name);
    const column = role === undefined ? undefined : ledger[role];
    if (role === undefined || column === undefined) {
      obstacles.push(
        `${JSON.stringify(name)} of the ledger must be given, has no default, and is not named in the mapping`,
      );
    } else if (!isFilled(role) && !(role in ON_DEMAND && fillable(role, column))) {
      obstacles.push(
        `${JSON.stringify(name)} of the ledger (ledger.${role}) must be given and has no default`,
      );
    }
  }
  if (ledger.reason !== undefined && reason.length > lengthOf(ledger.reason)) {
    obstacles.push(
      `${ledger.reason.quoted} of the ledger holds ${String(lengthOf(ledger.reason))} characters, ` +
        `and the reason ${JSON.stringify(reason)} has ${String(reason.length)}`,
    );
  }
  return obstacles;
}

function isFilled(role: Role): boolean {
  return role in ALWAYS || role === 'createdAt' || role === 'writer';
}

function rolesOf(ledger: Ledger): [Role, Column][] {
  return Object.entries(ledger).flatMap(([role, column]: [string, unknown]) =>
    role === 'table' ? [] : [[role as Role, column as Column] as [Role, Column]],
  );
}

/** What the entries of these openings bring, column by column. */
export function fillingsOf(
  mapping: ResolvedMapping,
  demands: LedgerDemandsRow,
  reason: string,
  openings: readonly Opening[],
): Filling[] {
  return rolesOf(mapping.ledger).flatMap(([role, column]): Filling[] => {
    if (role === 'createdAt') return [{ column, expression: 'now()' }];
    if (role === 'writer') return [{ column, expression: 'pg_current_xact_id()' }];
    const filler =
      ALWAYS[role] ?? (demands.required.includes(column.name) ? ON_DEMAND[role] : undefined);
    if (filler === undefined || column.generated) return [];
    const values = openings.map((opening) => filler(column, opening, { mapping, reason }));
    // A key is a help, no more: where it does not fit, the lock and the look at the ledger suffice.
    const tooLong = values.some(
      (value) => column.kind === 'text' && value.length > lengthOf(column),
    );
    return role === 'idempotencyKey' && tooLong && column.nullable ? [] : [{ column, values }];
  });
}

/** Characters that a text column holds, as far as its type tells. */
function lengthOf({ type }: Column): number {
  const match = /^character varying\((\d+)\)$/.exec(type);
  return match === null ? Infinity : Number(match[1]);
}

function uuidFrom(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`]
    .concat(hex.slice(20, 32))
    .join('-');
}
