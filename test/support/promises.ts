import type { Trueup } from '../../src/index.js';
import type { TestDatabase } from './database.js';
import { findings } from './economy.js';

/** Every promise of Trueup's own tables, as a query that finds where it is broken. */
const BROKEN: Readonly<Record<string, string>> = {
  'a balance is below its floor': `
    SELECT w.id FROM trueup.wallets AS w
      JOIN trueup.entries AS e ON e.wallet_id = w.id
     WHERE e.balance_after < CASE WHEN w.allow_overdraft THEN coalesce(w.min_balance, e.balance_after) ELSE 0 END`,
  'held coins were spent': `
    SELECT w.id FROM trueup.wallets AS w
     WHERE NOT (w.allow_overdraft AND w.min_balance IS NULL)
       AND coalesce((SELECT sum(amount) FROM trueup.entries WHERE wallet_id = w.id), 0)
           - coalesce((SELECT sum(amount - captured) FROM trueup.holds
                        WHERE wallet_id = w.id::text AND state = 'open'), 0)
           < CASE WHEN w.allow_overdraft THEN w.min_balance ELSE 0 END`,
  'the pending balance is not that of the open holds': `
    SELECT w.id FROM trueup.wallets AS w
     WHERE w.pending_balance IS DISTINCT FROM coalesce(
             (SELECT sum(amount - captured) FROM trueup.holds
               WHERE wallet_id = w.id::text AND state = 'open'), 0)`,
  'a number is missing or twice there': `
    SELECT wallet_id FROM trueup.entries GROUP BY wallet_id
    HAVING min(seq) <> 1 OR max(seq) <> count(*) OR count(DISTINCT seq) <> count(*)`,
  'a running balance does not continue the one before': `
    SELECT id FROM (SELECT id, balance_after - amount AS before,
                           lag(balance_after, 1, 0::bigint) OVER (PARTITION BY wallet_id ORDER BY seq) AS last
                      FROM trueup.entries) AS e
     WHERE before <> last`,
  'the books do not close': `
    SELECT transaction_id FROM trueup.entries WHERE counterparty_wallet_id IS NOT NULL
     GROUP BY transaction_id HAVING sum(amount) <> 0 OR count(*) < 2`,
  'half a transfer is there': `
    SELECT e.id FROM trueup.entries AS e
     WHERE e.counterparty_wallet_id IS NOT NULL AND NOT EXISTS (
             SELECT FROM trueup.entries AS o
              WHERE o.transaction_id = e.transaction_id AND o.wallet_id = e.counterparty_wallet_id
                AND o.counterparty_wallet_id = e.wallet_id AND o.amount = -e.amount)`,
  'a key was used twice': `
    SELECT key FROM (SELECT idempotency_key AS key FROM trueup.entries
                     UNION ALL SELECT idempotency_key FROM trueup.holds
                     UNION ALL SELECT release_key FROM trueup.holds) AS k
     WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1`,
  'time runs backwards in a wallet': `
    SELECT id FROM (SELECT id, created_at,
                           lag(created_at) OVER (PARTITION BY wallet_id ORDER BY seq) AS last
                      FROM trueup.entries) AS e
     WHERE created_at < last`,
  'a hold and its captures differ': `
    SELECT h.id FROM trueup.holds AS h
     WHERE h.captured <> coalesce((SELECT -sum(amount) FROM trueup.entries
                                    WHERE hold_id = h.id AND wallet_id = h.wallet_id::bigint), 0)`,
  'a reversal is not the opposite of a part of its entry': `
    SELECT r.id FROM trueup.entries AS r JOIN trueup.entries AS e ON e.id = r.reverses_entry_id
     WHERE r.wallet_id <> e.wallet_id OR sign(r.amount) = sign(e.amount) OR abs(r.amount) > abs(e.amount)`,
  'an entry was reversed twice': `
    SELECT reverses_entry_id FROM trueup.entries WHERE reverses_entry_id IS NOT NULL
     GROUP BY reverses_entry_id HAVING count(*) > 1`,
};

/** What is broken now, promise by promise; nothing, if all is well. Reads only. */
export async function brokenPromises(
  db: Pick<TestDatabase, 'rows'>,
  trueup: Trueup,
): Promise<string[]> {
  const broken: string[] = [];
  for (const [promise, query] of Object.entries(BROKEN)) {
    const rows = await db.rows(query);
    if (rows.length > 0) broken.push(`${promise}: ${JSON.stringify(rows.slice(0, 5))}`);
  }
  for (const finding of await findings(trueup)) broken.push(`drift: ${JSON.stringify(finding)}`);
  return broken;
}
