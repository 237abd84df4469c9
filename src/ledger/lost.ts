import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import { changeVersions } from './ahead-statements.js';
import { lockWallets } from './lock-statements.js';
import * as statements from './lost-statements.js';
import type { Written } from './lost-statements.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { pause } from './pause.js';
import { NOTHING } from './wanted.js';

/** For how long the server is looked for, in attempts; the pauses grow to a second. */
const ATTEMPTS = 60;

/** Somebody may hold a lock for longer than a batch would wait for it. */
const PATIENT = { settings: { lock_timeout: '10s' } } as const;

/** What was sent, and on which wallets it was decided. */
export interface Sent extends Written {
  readonly walletIds: readonly string[];
}

/**
 * Finds out what became of a transaction whose COMMIT was sent and never answered. It takes the same
 * locks again, so that the old transaction has ended one way or the other, and then looks for what it
 * would have written. What was posted ahead may not even have begun: where nothing is found, the
 * wallets get new versions, and it never will be carried out.
 *
 * @returns the outcomes if it was committed, undefined if it was not
 * @throws TrueupError `outcome_unknown`
 */
export async function findLost(
  database: Database,
  mapping: ResolvedMapping,
  sent: Sent,
): Promise<ItemOutcome[] | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction(async (session) => {
        // By their ids: a user may have another wallet by now.
        await session.query(lockWallets(mapping, { ...NOTHING, wallets: sent.walletIds }));
        const found = await lookFor(session, mapping, sent);
        const ahead = sent.nowText === null;
        if (ahead && found === undefined) {
          await session.query(changeVersions(mapping, sent.walletIds));
        }
        return found;
      }, PATIENT);
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
