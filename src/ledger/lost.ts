import { TrueupError } from '../core/errors.js';
import type { PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import { changeVersions } from './ahead-statements.js';
import type { Decided } from './batch.js';
import { lockWallets } from './lock-statements.js';
import * as statements from './lost-statements.js';
import type { Written } from './lost-statements.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { pause } from './pause.js';
import { wantedBy } from './wanted.js';

/** For how long the server is looked for, in attempts; the pauses grow to a second. */
const ATTEMPTS = 60;

/**
 * Finds out what became of a transaction whose COMMIT was sent and never answered. It takes the same
 * locks again, so that the old transaction has ended one way or the other, and then looks for what it
 * would have written.
 *
 * @returns the outcomes if it was committed, undefined if it was not
 * @throws TrueupError `outcome_unknown`
 */
export async function findLost(
  database: Database,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  decided: Written,
): Promise<ItemOutcome[] | undefined> {
  return underLocks(database, mapping, items, (session) => lookFor(session, mapping, decided));
}

/**
 * The same for a statement that posted ahead, and may not even have begun: if it has posted nothing,
 * it never will.
 *
 * @throws TrueupError `outcome_unknown`
 */
export async function findLostAhead(
  database: Database,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  sent: Pick<Decided, 'plan' | 'transactionIds'> & { readonly walletIds: readonly string[] },
): Promise<ItemOutcome[] | undefined> {
  return underLocks(database, mapping, items, async (session) => {
    const found = await lookFor(session, mapping, { ...sent, nowText: null });
    if (found === undefined) await session.query(changeVersions(mapping, sent.walletIds));
    return found;
  });
}

async function underLocks<Result>(
  database: Database,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  work: (session: Queryable) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction(async (session) => {
        await session.query(lockWallets(mapping, wantedBy(mapping, items)));
        return work(session);
      });
    } catch (error) {
      if (isConnectionFailure(error) && attempt < ATTEMPTS) {
        await pause(attempt);
        continue;
      }
      throw unknown(error);
    }
  }
}

async function lookFor(
  session: Queryable,
  mapping: ResolvedMapping,
  decided: Written,
): Promise<ItemOutcome[] | undefined> {
  const { plan, transactionIds } = decided;
  if (plan.entries.length === 0) {
    const [row] = await session.query<{ found: boolean }>(statements.writtenHolds(plan));
    return row?.found === true ? concludePlan(plan, { entryIds: [], transactionIds }) : undefined;
  }
  const statement = statements.writtenEntries(mapping, decided);
  if (statement === undefined) {
    throw new TrueupError('outcome_unknown', 'the ledger has no column by which entries are found');
  }
  const rows = await session.query<statements.WrittenRow>(statement);
  if (!rows.some(({ sure }) => sure)) return undefined;
  const ids = new Map(rows.map(({ place, entryId }) => [place, entryId]));
  const entryIds = plan.entries.map((_, index) => ids.get(index + 1) ?? '');
  return concludePlan(plan, { entryIds, transactionIds });
}

function unknown(cause: unknown): TrueupError {
  return new TrueupError(
    'outcome_unknown',
    'the connection was lost while the coins were committed, and it cannot be found out whether they were',
    { hint: 'Post again with the same idempotency key: it posts once.', cause },
  );
}
