import { isFaultOfOneUser } from '../postgres/failures.js';

/**
 * Does some work for a list of wallets in one transaction. Where the database refuses for the sake of one of
 * them, the list is halved until that one stands alone.
 *
 * @param parts.givenUp what became of the one at fault
 * @returns what became of each part, in the order of the list
 * @throws whatever keeps the whole from going on
 */
export async function byHalves<Item, Outcome>(
  items: readonly Item[],
  parts: {
    readonly work: (items: readonly Item[]) => Promise<Outcome>;
    readonly givenUp: (item: Item, error: unknown) => Outcome;
  },
): Promise<Outcome[]> {
  const [only] = items;
  if (only === undefined) return [];
  try {
    return [await parts.work(items)];
  } catch (error) {
    if (!isFaultOfOneUser(error)) throw error;
    if (items.length === 1) return [parts.givenUp(only, error)];
    const middle = Math.ceil(items.length / 2);
    return [
      ...(await byHalves(items.slice(0, middle), parts)),
      ...(await byHalves(items.slice(middle), parts)),
    ];
  }
}
