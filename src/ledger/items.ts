import {
  asWrong,
  read,
  readAnything,
  readFlag,
  readOneOf,
  readText,
  readWords,
  shape,
  show,
  wrong,
  type Reader,
  type Shape,
} from '../core/arguments.js';
import type { Amount } from '../core/amount.js';
import type { PostingDetails, PostItem, WalletReference } from '../core/posting/request.js';
import { REFERENCE } from './reference.js';

/** What callers may say in an item, by its type. */

type ItemOf<Type extends PostItem['type']> = Extract<PostItem, { readonly type: Type }>;

/** Amounts are judged by the decision: a wrong one is a refusal. */
const readAmount = readAnything as Reader<Amount>;

const DETAILS: {
  readonly [Name in keyof PostingDetails]-?: Reader<PostingDetails[Name]>;
} = {
  note: readWords,
  metadata: readAnything,
  actor: readText,
  idempotencyKey: readText,
  link: readText,
};

const MOVEMENT = { ...REFERENCE, amount: readAmount, reason: readText, ...DETAILS };

function referenceOf(whose: string): Reader<WalletReference> {
  const place = shape<WalletReference>(whose, REFERENCE);
  return (value) => read(place, value);
}

const SHAPES: { readonly [Type in PostItem['type']]: Shape<ItemOf<Type>> } = {
  credit: shape('a credit', { type: readOneOf('credit'), ...MOVEMENT }, ['type', 'reason']),
  debit: shape('a debit', { type: readOneOf('debit'), ...MOVEMENT }, ['type', 'reason']),
  transfer: shape(
    'a transfer',
    {
      type: readOneOf('transfer'),
      from: referenceOf('the from of a transfer'),
      to: referenceOf('the to of a transfer'),
      amount: readAmount,
      reason: readText,
      ...DETAILS,
    },
    ['type', 'from', 'to'],
  ),
  reverse: shape(
    'a reversal',
    {
      type: readOneOf('reverse'),
      entryId: readText,
      transactionId: readText,
      amount: readAmount,
      reason: readText,
      ...DETAILS,
    },
    ['type'],
  ),
  hold: shape('a hold', { type: readOneOf('hold'), expiresInSeconds: readSeconds, ...MOVEMENT }, [
    'type',
    'reason',
  ]),
  capture: shape(
    'a capture',
    {
      type: readOneOf('capture'),
      holdId: readText,
      amount: readAmount,
      to: referenceOf('the to of a capture'),
      releaseRest: readFlag,
      ...DETAILS,
    },
    ['type', 'holdId'],
  ),
  release: shape(
    'a release',
    { type: readOneOf('release'), holdId: readText, idempotencyKey: readText, link: readText },
    ['type', 'holdId'],
  ),
};

const BY_TYPE: ReadonlyMap<unknown, Shape<PostItem>> = new Map(Object.entries(SHAPES));

/**
 * What an item of its type may have.
 *
 * @throws TrueupError `invalid_argument` where it has no type that is known
 */
export function shapeFor(item: unknown): Shape<PostItem> {
  const type = typeOf(item);
  const found = BY_TYPE.get(type);
  if (found !== undefined) return found;
  throw wrong(`the type of an item is ${show(type)}: give ${[...BY_TYPE.keys()].join(' or ')}`);
}

function typeOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) {
    throw wrong(`an item has to be an object, not ${show(item)}`);
  }
  try {
    return Object.hasOwn(item, 'type') ? (item as { readonly type: unknown }).type : undefined;
  } catch (error) {
    throw asWrong(error, 'an item');
  }
}

/** About three thousand years: what PostgreSQL and JavaScript both have a date for. */
const LONGEST_SECONDS = 1e11;

function readSeconds(value: unknown, name: string, whose: string): number {
  if (typeof value === 'number' && value > 0 && value <= LONGEST_SECONDS) return value;
  throw wrong(`${name} of ${whose} has to be a number above 0, not ${show(value)}`);
}
