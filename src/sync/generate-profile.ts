import type { Column, Profile } from '../mapping/model.js';

/** The part of a sync function that carries the profile along, and records where it cannot. */

/** How long the profile's row may be waited for. Below deadlock_timeout (1 s), so that an entry
 *  which meets an application's transaction in the opposite order is the one that gives way. */
const PROFILE_LOCK_TIMEOUT = '250ms';

/** The same for each row when a set had to be taken apart: somebody has waited already. */
const SINGLE_PROFILE_LOCK_TIMEOUT = '20ms';

/** What is recorded where a wallet names a profile that does not exist. */
const NO_PROFILE = `'TU002', 'there is no such profile'`;

/** The pieces of a mapping that the body is made of. */
export interface Names {
  readonly ledger: string;
  /** The ledger's name as a text constant: the key of its records. */
  readonly key: string;
  readonly entryWallet: string;
  /** The type of sums of amounts: exact, and quick where it can be. */
  readonly sumType: 'bigint' | 'numeric';
  readonly entryAmount: string;
  /** What one entry adds to the earnings. */
  readonly entryEarned: string;
  /** Profiles are marked, not updated. */
  readonly deferred: boolean;
}

export function changes(
  alias: string,
  assignments: readonly (readonly [Column | undefined, (column: string) => string])[],
): string {
  return assignments
    .flatMap(([column, value]) =>
      column === undefined ? [] : [`${column.quoted} = ${value(`${alias}.${column.quoted}`)}`],
    )
    .join(',\n               ');
}

/** Whether a cache of the profile may be null, and then takes over what its wallet says. */
export function takesOver({ balance, lifetimeEarnings }: Profile): boolean {
  return balance?.nullable === true || lifetimeEarnings?.nullable === true;
}

function profileChanges(profile: Profile, delta: string, earned: string, from: string): string {
  const { balance, lifetimeEarnings } = profile;
  const sum = (column: string, change: string, wallets: string): string =>
    takesOver(profile)
      ? `coalesce(${column} + ${change}, ${from}${wallets})`
      : `${column} + ${change}`;
  return changes('p', [
    [balance, (column) => sum(column, delta, 'wallet_balance')],
    [lifetimeEarnings, (column) => sum(column, earned, 'wallet_earnings')],
    [profile.updatedAt, () => 'now()'],
  ]);
}

export function oneProfile(names: Names, profile: Profile): string {
  return `wallet_profile IS NOT NULL THEN
            BEGIN
                setting := set_config('lock_timeout', '${PROFILE_LOCK_TIMEOUT}', true);
                UPDATE ${profile.table.quoted} AS p
                   SET ${profileChanges(profile, 'entry_amount', names.entryEarned, '')}
                 WHERE p.${profile.id.quoted} = wallet_profile;
                setting := set_config('lock_timeout', callers_timeout, true);
                IF NOT FOUND THEN
                    PERFORM trueup.record_sync_failure(${names.key}, entry_wallet::text, wallet_profile::text, ${NO_PROFILE});
                END IF;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
                PERFORM trueup.record_sync_failure(${names.key}, entry_wallet::text, wallet_profile::text, state, message);
            END;
        ELSIF `;
}

export function manyProfiles(names: Names, profile: Profile): string {
  return `
        IF profiles IS NOT NULL THEN
            BEGIN
                setting := set_config('lock_timeout', '${PROFILE_LOCK_TIMEOUT}', true);
                UPDATE ${profile.table.quoted} AS p
                   SET ${profileChanges(profile, 'd.delta', 'd.earned', 'd.')}
                  FROM unnest(profiles, deltas, earned${takesOver(profile) ? ', balances, earnings' : ''})
                       AS d (profile, delta, earned${takesOver(profile) ? ', wallet_balance, wallet_earnings' : ''})
                 WHERE p.${profile.id.quoted} = d.profile;
                GET DIAGNOSTICS followed = ROW_COUNT;
                setting := set_config('lock_timeout', callers_timeout, true);
            EXCEPTION WHEN OTHERS THEN
                followed := NULL;
            END;
            -- One profile must not keep the others from following: take the set apart.
            FOR i IN 1 .. CASE WHEN followed IS NULL THEN cardinality(profiles) ELSE 0 END LOOP
                BEGIN
                    setting := set_config('lock_timeout', '${SINGLE_PROFILE_LOCK_TIMEOUT}', true);
                    UPDATE ${profile.table.quoted} AS p
                       SET ${profileChanges(profile, 'd.delta', 'd.earned', 'd.')}
                      FROM (VALUES (deltas[i], earned[i]${takesOver(profile) ? ', balances[i], earnings[i]' : ''}))
                           AS d (delta, earned${takesOver(profile) ? ', wallet_balance, wallet_earnings' : ''})
                     WHERE p.${profile.id.quoted} = profiles[i];
                    setting := set_config('lock_timeout', callers_timeout, true);
                EXCEPTION WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
                    PERFORM trueup.record_sync_failure(${names.key}, wallet_ids[i], profiles[i]::text, state, message);
                END;
            END LOOP;
            IF followed IS DISTINCT FROM cardinality(profiles) THEN
                PERFORM trueup.record_sync_failure(${names.key}, d.wallet, d.profile::text, ${NO_PROFILE})
                   FROM unnest(wallet_ids, profiles) AS d (wallet, profile)
                  WHERE NOT EXISTS (SELECT FROM ${profile.table.quoted} AS p WHERE p.${profile.id.quoted} = d.profile);
            END IF;
        END IF;`;
}
