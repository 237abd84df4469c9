import { randomUUID } from 'node:crypto';
import { asWrong, MAX_NOTE_LENGTH, read, show, wrong } from '../core/arguments.js';
import { TrueupError } from '../core/errors.js';
import { canonicalJson } from '../core/posting/canonical.js';
import type { PostItem, PreparedItem } from '../core/posting/request.js';
import { canonicalId } from '../mapping/ids.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { shapeFor } from './items.js';
import { checkReference, featureOff } from './reference.js';

/**
 * Makes items ready to be decided, as copies: what their caller does to the originals changes
 * nothing. What is wrong here is wrong in the caller's program, so it is an error, not a refusal:
 * nothing of the batch is posted.
 *
 * @param most items that one call may have
 * @throws TrueupError `invalid_argument`, `feature_off` (the message names the missing column)
 */
export function prepare(mapping: ResolvedMapping, items: unknown, most: number): PreparedItem[] {
  const given = listOf(items, most);
  const prepared: PreparedItem[] = [];
  for (let place = 0; place < given.length; place += 1) {
    try {
      prepared.push(prepareOne(mapping, given[place]));
    } catch (error) {
      throw given.length === 1 ? error : atPlace(error, place);
    }
  }
  if (prepared.length > 1) checkLinks(prepared);
  return prepared;
}

function listOf(items: unknown, most: number): readonly unknown[] {
  try {
    if (!Array.isArray(items)) throw wrong(`the items have to be a list, not ${show(items)}`);
    const { length } = items;
    if (!(length <= most)) throw tooMany(length, most);
    // By number, not by its iterator: that is code of its owner.
    const given: unknown[] = [];
    for (let place = 0; place < length; place += 1) given.push(items[place]);
    return given;
  } catch (error) {
    throw asWrong(error, 'the list of items');
  }
}

function tooMany(length: number, most: number): TrueupError {
  return new TrueupError(
    'invalid_argument',
    `a call of ${String(length)} items is larger than the queue, which takes ${String(most)}`,
    { hint: 'Divide it, or open Trueup with a higher posting.queueLimit.' },
  );
}

/** The same error, and which item of many it is about; they are counted from 0. */
function atPlace(error: unknown, place: number): unknown {
  if (!(error instanceof TrueupError)) return error;
  const { code, message, hint, cause } = error;
  return new TrueupError(code, `item ${String(place)}: ${message}`, { hint, cause });
}

function prepareOne(mapping: ResolvedMapping, given: unknown): PreparedItem {
  const item = inPlace(mapping, read(shapeFor(given), given));
  const metadata =
    item.type === 'release' || item.metadata === undefined ? null : toJson(item.metadata);
  checkColumns(mapping, item, metadata);
  return { item, metadata, newHoldId: item.type === 'hold' ? randomUUID() : '' };
}

/** The item with its ids as the database spells them, once it is sure that it names what it has to. */
function inPlace(mapping: ResolvedMapping, item: PostItem): PostItem {
  switch (item.type) {
    case 'credit':
    case 'debit':
    case 'hold':
      return checkReference(mapping, item, `a ${item.type}`);
    case 'transfer': {
      const from = checkReference(mapping, item.from, 'the from of a transfer');
      const to = checkReference(mapping, item.to, 'the to of a transfer');
      return from === item.from && to === item.to ? item : { ...item, from, to };
    }
    case 'capture': {
      const holdId = item.holdId.toLowerCase();
      if (item.to === undefined) return holdId === item.holdId ? item : { ...item, holdId };
      return { ...item, holdId, to: checkReference(mapping, item.to, 'the to of a capture') };
    }
    case 'release':
      return { ...item, holdId: item.holdId.toLowerCase() };
    case 'reverse': {
      const { entryId, transactionId } = item;
      if (transactionId === undefined && entryId !== undefined) {
        return { ...item, entryId: canonicalId(mapping.ledger.id, entryId) };
      }
      if (transactionId !== undefined && entryId === undefined) {
        const id = canonicalId(mapping.ledger.transaction, transactionId);
        return { ...item, transactionId: id };
      }
      throw wrong('a reversal names either entryId or transactionId');
    }
  }
}

/** Linked items stand side by side: otherwise the items between them would be decided twice over. */
function checkLinks(items: readonly PreparedItem[]): void {
  const ended = new Set<string>();
  let current: string | undefined;
  for (const { item } of items) {
    const { link } = item;
    if (link === current) continue;
    if (current !== undefined) ended.add(current);
    if (link !== undefined && ended.has(link)) {
      throw wrong(`the items of link ${show(link)} do not stand side by side`);
    }
    current = link;
  }
}

/** What an item says has to have a column to be kept in. */
function checkColumns(mapping: ResolvedMapping, item: PostItem, metadata: string | null): void {
  const { ledger, wallet } = mapping;
  const holds = item.type === 'hold' || item.type === 'capture' || item.type === 'release';
  if (holds && wallet.pendingBalance === undefined) {
    throw featureOff(mapping, 'wallet.pendingBalance');
  }
  if (item.type === 'reverse') {
    if (ledger.reverses === undefined) throw featureOff(mapping, 'ledger.reverses');
    if (item.transactionId !== undefined && ledger.transaction === undefined) {
      throw featureOff(mapping, 'ledger.transaction');
    }
  }
  if (item.type === 'hold' || item.type === 'release') return; // Kept in Trueup's own table.
  if (metadata !== null && ledger.metadata === undefined) {
    throw featureOff(mapping, 'ledger.metadata');
  }
  for (const role of ['note', 'actor', 'idempotencyKey'] as const) {
    if (item[role] !== undefined && ledger[role] === undefined) {
      throw featureOff(mapping, `ledger.${role}`);
    }
  }
  if (item.idempotencyKey !== undefined) checkUniqueKey(mapping);
}

/** Without a unique index two programs could post under one key, on two wallets, at the same time. */
function checkUniqueKey({ ledger }: ResolvedMapping): void {
  const { idempotencyKey: key, table } = ledger;
  if (key === undefined || key.unique) return;
  if (key.uniqueWhere.some((where) => where.includes('IS NOT NULL'))) return;
  throw new TrueupError(
    'feature_off',
    `no unique index makes sure that ${key.quoted} of ${table.quoted} is used once`,
    {
      hint: `CREATE UNIQUE INDEX CONCURRENTLY ON ${table.quoted} (${key.quoted}); then open Trueup again.`,
    },
  );
}

/** Lists and objects within each other. Far below what a call stack can follow, here or in PostgreSQL. */
const DEEPEST = 200;

/** The same as JSON.stringify escapes it; a backslash that stands for itself is doubled. */
const UNSTORABLE_IN_JSON = /(?<!\\)(\\\\)*\\u(0000|d[89a-f])/;

function toJson(metadata: unknown): string | null {
  const text = stringify(metadata);
  if (text !== undefined && text.length > MAX_NOTE_LENGTH) {
    throw wrong(`the metadata is too long: at most ${String(MAX_NOTE_LENGTH)} characters of JSON`);
  }
  if (text === undefined || UNSTORABLE_IN_JSON.test(text)) {
    throw wrong('the metadata cannot be written as JSON');
  }
  const value = JSON.parse(text) as unknown;
  if (!isWithin(value, DEEPEST)) {
    throw wrong(`the metadata goes deeper than ${String(DEEPEST)} levels`);
  }
  return value === null ? null : canonicalJson(value); // The null of JSON is no metadata either.
}

function isWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => isWithin(member, levels - 1));
}

/** A function is no JSON: there the result is undefined, which its type does not tell. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new TrueupError('invalid_argument', 'the metadata cannot be written as JSON', { cause });
  }
}
