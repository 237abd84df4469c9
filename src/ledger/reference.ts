import { readText, shape, wrong, type Reader } from '../core/arguments.js';
import { TrueupError } from '../core/errors.js';
import type { WalletReference } from '../core/posting/request.js';
import { canonicalId } from '../mapping/ids.js';
import type { ResolvedMapping } from '../mapping/model.js';

/** How callers name a wallet. */

/** The readers of a reference's fields. */
export const REFERENCE: {
  readonly [Name in keyof WalletReference]-?: Reader<WalletReference[Name]>;
} = { walletId: readText, userId: readText, currency: readText };

/** A wallet that is named by itself, and not among other things. */
export const WALLET = shape<WalletReference>('a wallet', REFERENCE);

/**
 * Makes sure that a reference names one wallet, and spells its ids as the database does.
 *
 * @throws TrueupError `invalid_argument`, `feature_off`
 */
export function checkReference<Reference extends WalletReference>(
  mapping: ResolvedMapping,
  reference: Reference,
  whose: string,
): Reference {
  const { walletId, userId, currency } = reference;
  if ((walletId === undefined) === (userId === undefined)) {
    throw wrong(`${whose} names either walletId or userId`);
  }
  if (userId !== undefined && mapping.profile?.user === undefined) {
    throw new TrueupError('feature_off', 'the mapping does not say which profile is whose', {
      hint: 'Name profile.user in the mapping, or give walletId.',
    });
  }
  if (currency !== undefined && mapping.wallet.currency === undefined) {
    throw featureOff(mapping, 'wallet.currency');
  }
  if (walletId !== undefined) {
    const id = canonicalId(mapping.wallet.id, walletId);
    return id === walletId ? reference : { ...reference, walletId: id };
  }
  const id = canonicalId(mapping.profile?.user, userId ?? '');
  return id === userId ? reference : { ...reference, userId: id };
}

const PARTS = ['ledger.', 'wallet.', 'profile.'];

/** The error that names the column which the mapping would need, as `part.role`. */
export function featureOff(
  { ledger, wallet, profile }: ResolvedMapping,
  role: string,
  or = 'or do without',
): TrueupError {
  const part = [ledger, wallet, profile].find((_, index) => role.startsWith(PARTS[index] ?? ''));
  const place = part === undefined ? 'the profile table' : part.table.quoted;
  return new TrueupError('feature_off', `the mapping names no ${role}`, {
    hint: `Name a column of ${place} for ${role}, ${or}.`,
  });
}
