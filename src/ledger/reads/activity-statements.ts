import type { Profile, ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';

/** The statement about a user's wallets. */

export interface UserWalletRow {
  /** null: the user has none. */
  readonly walletId: string | null;
}

/** Every wallet of a user, whatever its currency; no row where there is no such user. */
export function walletsOfUser(
  { wallet }: ResolvedMapping,
  profile: Profile,
  user: NonNullable<Profile['user']>,
  userId: string,
): Statement {
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId"
  FROM ${profile.table.quoted} AS p
  LEFT JOIN ${wallet.table.quoted} AS w ON w.${profile.link.quoted} = p.${profile.id.quoted}
 WHERE p.${user.quoted} = $1::${user.baseType}
 ORDER BY w.${wallet.id.quoted}`,
    values: [userId],
  };
}
