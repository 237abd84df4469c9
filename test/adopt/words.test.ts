import { describe, expect, test } from 'vitest';
import { LEDGER_ROLES, AMOUNT } from '../../src/mapping/propose/ledger-roles.js';
import type { Role } from '../../src/mapping/propose/roles.js';
import { shownBalance, USER, WALLET_ROLES } from '../../src/mapping/propose/wallet-roles.js';
import { likeness, wordsOf } from '../../src/mapping/propose/words.js';
import { joinTableName, splitTableName } from '../../src/postgres/identifiers.js';

/** What names say, as tables of cases. */

test.each([
  ['cached_balance', ['cached', 'balance']],
  ['CachedBalances', ['cached', 'balance']],
  ['cached Balance', ['cached', 'balance']],
  ['userID', ['user', 'id']],
  ['HTTPKey2Value', ['http', 'key2', 'value']],
  ['entries', ['entry']],
  ['status', ['status']],
  ['"; DROP TABLE x; --', ['drop', 'table', 'x']],
  ['Größe_Ñandúes', ['größe', 'ñandúe']],
  ['___', []],
])('the words of %s', (name, words) => {
  expect(wordsOf(name)).toEqual(words);
});

const roles = new Map<string, Role>(
  [AMOUNT, USER, ...LEDGER_ROLES, ...WALLET_ROLES].map((role) => [role.role, role]),
);

/** Whether a name is enough to play a part. */
function plays(name: string, role: string): boolean {
  const found = roles.get(role);
  if (found === undefined) throw new Error(`there is no role ${role}`);
  return likeness(wordsOf(name), found) >= found.least;
}

describe('names that play a part', () => {
  test.each([
    ['amount', 'amount'],
    ['amount_cents', 'amount'],
    ['coinDelta', 'amount'],
    ['coins', 'amount'],
    ['cached_balance_after', 'balanceAfter'],
    ['running_balance', 'balanceAfter'],
    ['idempotencykey', 'idempotencyKey'],
    ['external_id', 'idempotencyKey'],
    ['key', 'idempotencyKey'],
    ['reason', 'reason'],
    ['entry_type', 'reason'],
    ['created_at', 'createdAt'],
    ['occurred_at', 'createdAt'],
    ['timestamp', 'createdAt'],
    ['cached_balance', 'balance'],
    ['deltacoin_balance', 'balance'],
    ['currentbalance', 'balance'],
    ['total_received', 'lifetimeEarnings'],
    ['lifetime_earnings', 'lifetimeEarnings'],
    ['pending_balance', 'pendingBalance'],
    ['coins_on_hold', 'pendingBalance'],
    ['allow_overdraft', 'allowOverdraft'],
    ['updatedat', 'updatedAt'],
    ['user_id', 'user'],
    ['ownerId', 'user'],
  ])('%s as %s', (name, role) => {
    expect(plays(name, role)).toBe(true);
  });
});

describe('names that do not', () => {
  test.each([
    ['balance', 'amount'],
    ['total_amount', 'amount'],
    ['fee_amount', 'amount'],
    ['amount_after', 'amount'],
    ['pending_balance', 'balance'],
    ['pendingbalance', 'balance'],
    ['min_balance', 'balance'],
    ['lifetime_earnings', 'balance'],
    ['balance_before', 'balanceAfter'],
    ['opening_balance', 'balanceAfter'],
    ['lifetime_spent', 'lifetimeEarnings'],
    ['earned_today', 'lifetimeEarnings'],
    ['likes_received', 'lifetimeEarnings'],
    ['xp_earned', 'lifetimeEarnings'],
    ['status', 'reason'],
    ['currency_type', 'reason'],
    ['updated_at', 'createdAt'],
    ['expires_at', 'createdAt'],
    ['created_at', 'updatedAt'],
    ['api_key', 'idempotencyKey'],
    ['created_by_user_id', 'user'],
    ['username', 'user'],
  ])('%s as %s', (name, role) => {
    expect(plays(name, role)).toBe(false);
  });
});

test('a profile shows the word of its wallet, and no other points', () => {
  const shows = (name: string, wallet: string): boolean => {
    const role = shownBalance(wordsOf(wallet));
    return likeness(wordsOf(name), role) >= role.least;
  };
  expect(shows('points', 'points')).toBe(true);
  expect(shows('points', 'balance')).toBe(false);
  expect(shows('coins', 'balance')).toBe(true);
  expect(shows('total', 'total_balance')).toBe(false);
});

test.each([
  [undefined, 'entries'],
  ['app', 'entries'],
  ['a.b', 'c"d'],
  [undefined, '"'],
  ['App Schema', 'Select'],
])('a table name is written as it is read: %s, %s', (schema, table) => {
  expect(splitTableName(joinTableName(schema, table))).toEqual({ schema, table });
});
