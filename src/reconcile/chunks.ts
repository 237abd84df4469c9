/** Cuts a list into parts of at most so many items. */
export function slices<Item>(items: readonly Item[], size: number): Item[][] {
  const parts: Item[][] = [];
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size));
  return parts;
}

/**
 * Does some work for every item, so many at a time, and gives the results in the order of the items.
 * When one fails, no more is begun, and what is under way is waited for before the error is thrown.
 */
export async function* inOrder<Item, Result>(
  items: readonly Item[],
  atATime: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay = new Set<Promise<Result>>();
  try {
    for (const item of items) {
      for (const head of underWay) {
        if (underWay.size < atATime) break;
        yield await head;
        underWay.delete(head);
      }
      const begun = work(item);
      // Whoever waits for it is told of its failure; until then it must not count as unhandled.
      begun.catch(() => undefined);
      underWay.add(begun);
    }
    for (const head of underWay) yield await head;
  } finally {
    await Promise.allSettled(underWay);
  }
}
