import { quoteLiteral } from '../postgres/identifiers.js';
import * as mapped from '../mapping/statements.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { error, info, ok, type Context, type Examine, type Verdict } from './model.js';
import * as statements from './table-statements.js';

/** How many profiles with several wallets are listed. */
const LISTED = 5;

/** Whether a profile got a second wallet since an installation, which refuses that; and whether it can. */
const sharedProfile: Examine = async (context) => {
  const { session, mapping } = context;
  const { profile, wallet, sharedProfilesPossible } = mapping;
  if (profile === undefined) return [ok('the mapping names no profile')];
  if (!sharedProfilesPossible) return [ok('an index keeps each profile to one wallet')];
  const rows = await session.query<mapped.SharedByRow>(mapped.sharedProfiles(mapping, LISTED));
  const more = Number(rows[0]?.profiles ?? 0) - rows.length;
  if (rows.length === 0) return [await couldBeShared(context)];
  return [
    ...rows.map((row) =>
      error(
        `profile ${row.profile} has ${String(row.wallets.length)} wallets in ${wallet.table.quoted}: ${row.wallets.join(', ')}`,
        takeAway(mapping, row.wallets.slice(1)),
      ),
    ),
    ...(more > 0 ? [error(`${String(more)} more profiles have several wallets`, null)] : []),
  ];
};

/** The wallet with the lowest id stays the one that is shown; null where a wallet must name a profile. */
function takeAway(
  { wallet, profile }: ResolvedMapping,
  walletIds: readonly string[],
): string | null {
  const where = `WHERE ${wallet.id.quoted} IN (${walletIds.map(quoteLiteral).join(', ')})`;
  if (wallet.primary !== undefined) {
    return `UPDATE ${wallet.table.quoted} SET ${wallet.primary.quoted} = false ${where}`;
  }
  if (profile?.link.nullable !== true) return null;
  return `UPDATE ${wallet.table.quoted} SET ${profile.link.quoted} = NULL ${where}`;
}

async function couldBeShared({ session, mapping }: Context): Promise<Verdict> {
  const { wallet, profile } = mapping;
  const [table] = await session.query<statements.TableRow>(statements.tables([wallet.table.oid]));
  const what = 'no profile has two wallets, and no index keeps one from getting a second';
  // A unique index of partitions needs their key in it, and so would not keep profiles apart.
  if (table?.partitioned === true || profile === undefined) return info(what);
  const primary = wallet.primary?.quoted;
  return info(
    what,
    statements.createIndex(wallet.table.quoted, false, [profile.link.quoted], {
      unique: true,
      ...(primary === undefined ? {} : { where: primary }),
    }),
  );
}

export const profileChecks = { shared_profile: sharedProfile } as const;
