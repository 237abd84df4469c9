import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import { walletsOfUsers, type UserRow } from './statements.js';

/**
 * The wallets of some users, one row at least for each user.
 *
 * @throws TrueupError `feature_off`, `invalid_argument`
 */
export async function findWallets(
  session: Queryable,
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Promise<readonly UserRow[]> {
  const statement = walletsOfUsers(mapping, userIds);
  if (statement === undefined) {
    throw new TrueupError('feature_off', 'the mapping does not say which profile is whose', {
      hint: 'Name profile.user in the mapping.',
    });
  }
  try {
    return await asId('user', userIds.join(', '), () => session.query<UserRow>(statement));
  } catch (error) {
    if (userIds.length > 1) await findWrongId(session, mapping, userIds);
    throw error;
  }
}

/**
 * The wallets of some users, each of whom has to exist and to have one.
 *
 * @throws TrueupError `user_not_found`, `wallet_not_found`: before anything is changed
 */
export async function walletsOf(
  session: Queryable,
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Promise<string[]> {
  const rows = await findWallets(session, mapping, userIds);
  const unknown = rows.filter(({ known }) => !known).map(({ userId }) => userId);
  if (unknown.length > 0) {
    throw new TrueupError('user_not_found', `no profile belongs to user ${unknown.join(', ')}`, {
      hint: 'Nothing was changed. Give the ids that the profile table holds.',
    });
  }
  const without = rows.filter(({ walletId }) => walletId === null).map(({ userId }) => userId);
  if (without.length > 0) {
    throw new TrueupError('wallet_not_found', `user ${without.join(', ')} has no wallet`, {
      hint: 'Nothing was changed. Without a wallet there is nothing to reconcile.',
    });
  }
  return [...new Set(rows.flatMap(({ walletId }) => (walletId === null ? [] : [walletId])))];
}

/** Asks for one id at a time, so that the one that cannot be an id is told by itself. */
async function findWrongId(
  session: Queryable,
  mapping: ResolvedMapping,
  userIds: readonly string[],
): Promise<void> {
  for (const id of userIds) await findWallets(session, mapping, [id]);
}

/** An id that its column cannot hold (`abc` for a bigint) is a wrong argument, not a broken database. */
export async function asId<Result>(
  whose: string,
  id: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const state = sqlStateOf(error);
    if (state !== '22P02' && state !== '22003') throw error;
    throw new TrueupError('invalid_argument', `${id} cannot be the id of a ${whose}`, {
      hint: 'Give an id as the table holds it.',
      cause: error,
    });
  }
}
