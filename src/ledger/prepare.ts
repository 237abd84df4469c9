import { randomUUID } from 'node:crypto';
import { TrueupError } from '../core/errors.js';
import { canonicalJson } from '../core/posting/canonical.js';
import type { PostItem, PreparedItem, WalletReference } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';

/**
 * Makes items ready to be decided. What is wrong here is wrong in the caller's program, so it is an
 * error, not a refusal: nothing of the batch is posted.
 *
 * @throws TrueupError `invalid_argument`, `feature_off` (the message names the missing column)
 */
export function prepare(mapping: ResolvedMapping, items: readonly PostItem[]): PreparedItem[] {
  checkLinks(items);
  return items.map((item) => {
    checkItem(mapping, item);
    const metadata = 'metadata' in item ? toJson(item.metadata) : null;
    return { item, metadata, newHoldId: item.type === 'hold' ? randomUUID() : '' };
  });
}

/** Linked items stand side by side: otherwise the items between them would be decided twice over. */
function checkLinks(items: readonly PostItem[]): void {
  const ended = new Set<string>();
  let current: string | undefined;
  for (const { link } of items) {
    if (link === current) continue;
    if (current !== undefined) ended.add(current);
    if (link !== undefined && ended.has(link)) {
      throw wrong(`the items of link ${JSON.stringify(link)} do not stand side by side`);
    }
    current = link;
  }
}

function checkItem(mapping: ResolvedMapping, item: PostItem): void {
  checkText('an idempotency key', item.idempotencyKey);
  checkText('a link', item.link);
  if (item.type !== 'release') {
    checkCharacters('a note', item.note);
    checkCharacters('an actor', item.actor);
  }
  switch (item.type) {
    case 'credit':
    case 'debit':
      checkReference(mapping, item, `a ${item.type}`);
      checkText('a reason', item.reason, 'needed');
      break;
    case 'hold':
      checkReference(mapping, item, 'a hold');
      checkText('a reason', item.reason, 'needed');
      checkExpiry(item.expiresInSeconds);
      break;
    case 'transfer':
      checkReference(mapping, item.from, 'the from of a transfer');
      checkReference(mapping, item.to, 'the to of a transfer');
      checkText('a reason', item.reason);
      break;
    case 'capture':
      if (item.to !== undefined) checkReference(mapping, item.to, 'the to of a capture');
      checkText('a hold id', item.holdId, 'needed');
      break;
    case 'release':
      checkText('a hold id', item.holdId, 'needed');
      break;
    case 'reverse':
      if ((item.entryId === undefined) === (item.transactionId === undefined)) {
        throw wrong('a reversal names either entryId or transactionId');
      }
      checkText('a reason', item.reason);
  }
  checkColumns(mapping, item);
}

function checkReference(mapping: ResolvedMapping, reference: WalletReference, what: string): void {
  const { walletId, userId, currency } = reference;
  if ((walletId === undefined) === (userId === undefined)) {
    throw wrong(`${what} names either walletId or userId`);
  }
  checkText('a wallet id', walletId);
  checkText('a user id', userId);
  checkText('a currency', currency);
  if (userId !== undefined && mapping.profile?.user === undefined) {
    throw new TrueupError('feature_off', 'the mapping does not say which profile is whose', {
      hint: 'Name profile.user in the mapping, or give walletId.',
    });
  }
  if (currency !== undefined && mapping.wallet.currency === undefined) {
    throw missing(mapping, 'wallet.currency');
  }
}

/** About three thousand years: what PostgreSQL and JavaScript both have a date for. */
const LONGEST_SECONDS = 1e11;

function checkExpiry(seconds: number | undefined): void {
  if (seconds === undefined || (seconds > 0 && seconds <= LONGEST_SECONDS)) return;
  throw wrong(`expiresInSeconds is ${String(seconds)}: give a number above 0, or leave it out`);
}

function checkText(what: string, value: unknown, needed?: 'needed'): void {
  if (value === undefined && needed === undefined) return;
  if (typeof value !== 'string') throw wrong(`${what} has to be text`);
  if (value.trim() === '') throw wrong(`${what} cannot be empty`);
  checkCharacters(what, value);
}

/** What PostgreSQL does not store, or not as it is: then a repeat would not be known again. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

function checkCharacters(what: string, value: string | undefined): void {
  if (value === undefined || !UNSTORABLE.test(value)) return;
  throw wrong(`${what} cannot hold a null character or half a surrogate pair`);
}

/** What an item says has to have a column to be kept in. */
function checkColumns(mapping: ResolvedMapping, item: PostItem): void {
  const { ledger, wallet } = mapping;
  const holds = item.type === 'hold' || item.type === 'capture' || item.type === 'release';
  if (holds && wallet.pendingBalance === undefined) throw missing(mapping, 'wallet.pendingBalance');
  if (item.type === 'reverse') {
    if (ledger.reverses === undefined) throw missing(mapping, 'ledger.reverses');
    if (item.transactionId !== undefined && ledger.transaction === undefined) {
      throw missing(mapping, 'ledger.transaction');
    }
  }
  if (item.type === 'hold' || item.type === 'release') return; // Kept in Trueup's own table.
  for (const role of ['note', 'metadata', 'actor', 'idempotencyKey'] as const) {
    if (item[role] !== undefined && ledger[role] === undefined) {
      throw missing(mapping, `ledger.${role}`);
    }
  }
}

function missing(mapping: ResolvedMapping, role: string): TrueupError {
  const table = role.startsWith('ledger') ? mapping.ledger.table : mapping.wallet.table;
  return new TrueupError('feature_off', `the mapping names no ${role}`, {
    hint: `Name a column of ${table.quoted} for ${role}, or do without.`,
  });
}

/** The same as JSON.stringify escapes it; a backslash that stands for itself is doubled. */
const UNSTORABLE_IN_JSON = /(?<!\\)(\\\\)*\\u(0000|d[89a-f])/;

function toJson(metadata: unknown): string | null {
  if (metadata === undefined) return null;
  const text = stringify(metadata);
  if (text === undefined || UNSTORABLE_IN_JSON.test(text)) {
    throw wrong('the metadata cannot be written as JSON');
  }
  const value = JSON.parse(text) as unknown;
  return value === null ? null : canonicalJson(value); // The null of JSON is no metadata either.
}

/** A function is no JSON: there the result is undefined, which its type does not tell. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new TrueupError('invalid_argument', 'the metadata cannot be written as JSON', { cause });
  }
}

function wrong(message: string): TrueupError {
  return new TrueupError('invalid_argument', message);
}
