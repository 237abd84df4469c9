import type { Statement } from '../postgres/database.js';

/** Statements about the wallets of Trueup's own tables. */

/** Opens a profile; one that is there stays as it is. */
export function openProfile(userId: string): Statement {
  return {
    text: 'INSERT INTO trueup.profiles (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING',
    values: [userId],
  };
}

/** Locks a profile, so that of two wallets opened at once one becomes the primary one. */
export function lockProfile(userId: string): Statement {
  return {
    text: 'SELECT id::text FROM trueup.profiles WHERE user_id = $1 FOR NO KEY UPDATE',
    values: [userId],
  };
}

/** Opens a wallet; one of the same currency stays as it is. The first of a profile is the primary one. */
export function openWallet(userId: string, currency: string, allowOverdraft: boolean): Statement {
  return {
    text: `INSERT INTO trueup.wallets (profile_id, currency, allow_overdraft, is_primary)
           SELECT p.id, $2, $3, NOT EXISTS (SELECT FROM trueup.wallets w WHERE w.profile_id = p.id AND w.is_primary)
             FROM trueup.profiles p WHERE p.user_id = $1
           ON CONFLICT (profile_id, currency) DO NOTHING`,
    values: [userId, currency, allowOverdraft],
  };
}

export function openWalletWithoutProfile(currency: string, allowOverdraft: boolean): Statement {
  return {
    text: `INSERT INTO trueup.wallets (currency, allow_overdraft) VALUES ($1, $2)
           RETURNING id::text AS "walletId"`,
    values: [currency, allowOverdraft],
  };
}

export function walletOf(userId: string, currency: string): Statement {
  return {
    text: `SELECT w.id::text AS "walletId" FROM trueup.wallets w
             JOIN trueup.profiles p ON p.id = w.profile_id WHERE p.user_id = $1 AND w.currency = $2`,
    values: [userId, currency],
  };
}
