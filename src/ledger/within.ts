import { messageOf, TrueupError } from '../core/errors.js';
import type { PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { sqlStateOf, toTrueupError } from '../postgres/failures.js';
import { changesAnything, decideUnderLock, write, writesCaches, type Decided } from './batch.js';
import { explainFailure } from './failures.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { hasKey } from './unit.js';
import * as statements from './writer-statements.js';

/** How often items are decided anew because somebody else committed the same key in between. */
const ATTEMPTS = 3;

const SAVEPOINT = { text: 'SAVEPOINT trueup_posting' } as const;
const RELEASE = { text: 'RELEASE SAVEPOINT trueup_posting' } as const;
const ROLL_BACK = { text: 'ROLLBACK TO SAVEPOINT trueup_posting' } as const;

/**
 * Posts inside a transaction that the caller has begun and will end: coins and its own rows in one
 * commit. The wallets stay locked until then. Refusals are values, and leave the transaction usable;
 * so does an error, after which what was posted here is undone.
 *
 * @throws TrueupError as for posting; `invalid_argument` where no transaction was begun
 */
export async function postWithin(
  session: Queryable,
  mapping: ResolvedMapping,
  prepared: readonly PreparedItem[],
): Promise<ItemOutcome[]> {
  for (let attempt = 1; ; attempt += 1) {
    await begin(session);
    try {
      const decided = await decideUnderLock(session, mapping, prepared);
      const entryIds = changesAnything(decided)
        ? await writeAsTrueup(session, mapping, decided)
        : [];
      await session.query(RELEASE);
      return concludePlan(decided.plan, { entryIds, transactionIds: decided.transactionIds });
    } catch (error) {
      await undo(session, error);
      const keyTaken = sqlStateOf(error) === '23505' && prepared.some(hasKey);
      if (!keyTaken || attempt >= ATTEMPTS) throw explainFailure(mapping, error);
    }
  }
}

/**
 * Writes on the caller's connection. The caches that are written here pass their guard, and what the
 * caller sends afterwards does not: the setting is taken back, by an error together with the savepoint.
 */
async function writeAsTrueup(
  session: Queryable,
  mapping: ResolvedMapping,
  decided: Decided,
): Promise<readonly string[]> {
  if (!writesCaches(decided)) return write(session, mapping, decided);
  const [before] = await session.query<{ previous: string | null }>(statements.becomeWriter);
  const entryIds = await write(session, mapping, decided);
  await session.query(statements.becomeAgain(before?.previous ?? null));
  return entryIds;
}

async function begin(session: Queryable): Promise<void> {
  try {
    await session.query(SAVEPOINT);
  } catch (error) {
    if (sqlStateOf(error) !== '25P01') throw error;
    throw new TrueupError('invalid_argument', `no transaction was begun: ${messageOf(error)}`, {
      hint: 'Send BEGIN first, and give the client that it was sent on, not a pool.',
      cause: error,
    });
  }
}

/** Goes back to the savepoint; where even that fails, the first error is the one worth telling. */
async function undo(session: Queryable, reason: unknown): Promise<void> {
  try {
    await session.query(ROLL_BACK);
  } catch (error) {
    const { code, message, hint } = toTrueupError(reason);
    const cause = new AggregateError([reason, error], 'going back failed too', { cause: reason });
    throw new TrueupError(code, message, { hint, cause });
  }
}
