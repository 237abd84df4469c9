import { createHash } from 'node:crypto';
import { quoteLiteral } from '../postgres/identifiers.js';
import type { Names } from './generate-profile.js';

/**
 * The part of a sync function that marks profiles in place of updating them (deferred mode). The mark
 * commits with the entry; a carrier (carrier.ts) makes the profile follow within a second.
 */

/** The channel on which an idle carrier is woken; the payload is the ledger. */
export const MARK_CHANNEL = 'trueup_profile_marks';

/** The first half of the advisory locks by which carriers say that they are idle. */
const IDLE_LOCK_CLASS = '721900431';

/** The advisory lock that a carrier of this ledger holds while it waits to be woken: `class, key`. */
export function idleLock(ledger: string): string {
  const digest = createHash('sha256').update(ledger).digest();
  return `${IDLE_LOCK_CLASS}, ${String(digest.readInt32BE())}`;
}

export function markVariables(): string {
  return `
    shown           boolean;
    setting         text;`;
}

export function oneMark(names: Names): string {
  return `shown THEN
            INSERT INTO trueup.profile_marks (ledger, wallet_id) VALUES (${names.key}, entry_wallet::text)
            RETURNING ${wakeIdle(names)} INTO setting;
        ELSIF `;
}

export function collectMarks(names: Names): string {
  return `, m AS (
            INSERT INTO trueup.profile_marks (ledger, wallet_id)
            SELECT ${names.key}, u.wallet FROM u WHERE u.profile IS NOT NULL
        )
        SELECT (SELECT count(*) FROM d), count(*), ${wakeIdle(names)}
          INTO wallets, wallets_updated, setting FROM u;`;
}

/**
 * NOTIFY takes a lock of the whole server until the commit is durable, so that writers would commit
 * one after the other. It is sent to an idle carrier only, and the lock tells: a carrier goes to sleep
 * holding it alone, and looks once more before. Whoever got his share of it before has committed by
 * then and is seen in that look; whoever comes later does not get it, and notifies.
 */
function wakeIdle({ key, ledger }: Names): string {
  return `CASE WHEN pg_try_advisory_xact_lock_shared(${idleLock(ledger)}) THEN NULL
                           ELSE pg_notify(${quoteLiteral(MARK_CHANNEL)}, ${key})::text END`;
}
