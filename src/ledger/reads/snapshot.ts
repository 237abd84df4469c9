import type { Database, Queryable } from '../../postgres/database.js';

/**
 * One moment for all statements. Whoever stops reading for ten minutes is cut off: that snapshot keeps
 * the server from cleaning up.
 */
const SNAPSHOT = {
  readOnly: true,
  settings: {
    transaction_isolation: 'repeatable read',
    idle_in_transaction_session_timeout: '10min',
    cursor_tuple_fraction: '1', // A cursor here is read to its end.
  },
};

/**
 * Yields what `read` yields, inside one read-only transaction that begins with the first item and
 * ends with the last, or when the reader goes away. Then its connection is back in the pool.
 */
export async function* inSnapshot<Item>(
  database: Database,
  read: (session: Queryable) => AsyncGenerator<Item>,
): AsyncGenerator<Item> {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let transaction = Promise.resolve();
  const session = await new Promise<Queryable>((resolve, reject) => {
    transaction = database.transaction(async (begun) => {
      resolve(begun);
      await finished;
    }, SNAPSHOT);
    transaction.catch(reject);
  });
  try {
    yield* read(session);
  } finally {
    finish();
    // It has written nothing: how it ends changes nothing, and whatever broke was told by a read.
    await Promise.allSettled([transaction]);
  }
}
