import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { openingsState } from '../mapping/statements.js';
import type { Queryable } from '../postgres/database.js';
import { grantsOnOwn } from '../postgres/grant-statements.js';
import { roleOf } from '../postgres/role.js';

/** What a repair has to know of balances from before the installation. */

/**
 * Makes sure that a repair sees which balances are from before: it would take them away otherwise.
 *
 * @throws TrueupError `permission_denied`
 */
export async function refuseUnseenOpenings(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<void> {
  if (mapping.openingsKept) return;
  const [openings] = await session.query<{ readable: boolean }>(openingsState);
  if (openings === undefined) return;
  throw new TrueupError(
    'permission_denied',
    'the balances from before the installation cannot be read, and a repair could take them away',
    { hint: grantsOnOwn('opening_balances', await roleOf(session)) },
  );
}
