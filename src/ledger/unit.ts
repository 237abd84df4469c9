import { referenceKey, type PreparedItem } from '../core/posting/request.js';
import type { ItemOutcome } from './outcomes.js';

/** Items that one call handed in: they stay in one batch, in their order. */
export interface Unit {
  readonly items: readonly PreparedItem[];
  /** What they would lock, as they name it. */
  readonly touches: readonly string[];
  readonly resolve: (outcomes: ItemOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The wallets that items name, as they name them; and holds and entries, which lead to wallets. */
export function touchedBy(items: readonly PreparedItem[]): string[] {
  const [only] = items;
  if (items.length === 1 && only !== undefined) return touchedByOne(only);
  return items.flatMap(touchedByOne);
}

function touchedByOne({ item }: PreparedItem): string[] {
  switch (item.type) {
    case 'credit':
    case 'debit':
    case 'hold':
      return [referenceKey(item)];
    case 'transfer':
      return [referenceKey(item.from), referenceKey(item.to)];
    case 'capture':
      return [`hold ${item.holdId}`, ...(item.to === undefined ? [] : [referenceKey(item.to)])];
    case 'release':
      return [`hold ${item.holdId}`];
    case 'reverse':
      return [`entry ${item.entryId ?? ''} ${item.transactionId ?? ''}`];
  }
}

export function itemsOf(units: readonly Unit[]): PreparedItem[] {
  return units.flatMap((unit) => unit.items);
}

/** Gives each unit its share of the outcomes. */
export function resolveAll(units: readonly Unit[], outcomes: readonly ItemOutcome[]): void {
  let from = 0;
  for (const { items, resolve } of units) {
    resolve(outcomes.slice(from, from + items.length));
    from += items.length;
  }
}

export function hasKey({ item }: PreparedItem): boolean {
  return item.idempotencyKey !== undefined;
}

/**
 * The units that fit, without those that come after one that does not and touch the same.
 *
 * @param meaning what a name means, so that two names of one wallet are told to be the same; undefined
 *   where that cannot be told, and nothing that comes after may overtake
 */
export function apart(
  units: readonly Unit[],
  fits: (unit: Unit) => boolean,
  meaning: (name: string) => string | undefined,
): readonly Unit[] {
  const passed = new Set<string>();
  let closed = false;
  const isFree = (name: string): boolean => {
    const what = meaning(name);
    return what !== undefined && !passed.has(what);
  };
  return units.filter((unit) => {
    if (closed) return false;
    if (fits(unit) && (passed.size === 0 || unit.touches.every(isFree))) return true;
    for (const name of unit.touches) {
      const what = meaning(name);
      if (what === undefined) closed = true;
      else passed.add(what);
    }
    return false;
  });
}

/** Whether items do nothing but move coins between wallets that they name. */
export function isSimple({ items }: Unit): boolean {
  return items.every(
    ({ item: { type } }) => type === 'credit' || type === 'debit' || type === 'transfer',
  );
}

export function countItems(units: readonly Unit[]): number {
  let count = 0;
  for (const { items } of units) count += items.length;
  return count;
}
