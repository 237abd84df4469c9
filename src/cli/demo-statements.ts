import type { Statement } from '../postgres/database.js';

/**
 * The state in which UP-M3 found its platform: five players, three of whose profiles were never
 * updated, and wallets whose lifetime earnings nobody kept.
 */
export const loadPlayers: readonly Statement[] = [
  {
    text: `INSERT INTO trueup.profiles (id, user_id)
           SELECT 100 + n, n::text FROM generate_series(1, 5) AS n`,
  },
  {
    text: 'INSERT INTO trueup.wallets (id, profile_id) SELECT n, 100 + n FROM generate_series(1, 5) AS n',
  },
  {
    text: `INSERT INTO trueup.entries (wallet_id, amount, reason, idempotency_key, created_at)
           VALUES (1,  500, 'winner',          'award:7:1', '2025-11-20Z'),
                  (1,   44, 'participation',   'award:9:1', '2025-12-02Z'),
                  (1,  -50, 'entry_fee_debit', 'fee:11:1',  '2025-12-10Z'),
                  (2,  300, 'runner_up',       'award:7:2', '2025-11-20Z'),
                  (2,  -20, 'entry_fee_debit', 'fee:11:2',  '2025-12-10Z'),
                  (3,  200, 'top4',            'award:7:3', '2025-11-20Z'),
                  (3,   39, 'manual_adjust',   NULL,        '2025-12-15Z')`,
  },
  {
    text: `UPDATE trueup.wallets w SET balance = (SELECT sum(amount) FROM trueup.entries WHERE wallet_id = w.id)
            WHERE EXISTS (SELECT FROM trueup.entries WHERE wallet_id = w.id)`,
  },
];

/** What any program may do at any time: one line of plain SQL. */
export const plainInsert: Statement = {
  text: `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES (2, 25, 'participation')`,
};

export interface ShownRow {
  readonly user: string;
  readonly shown: string;
  readonly ledger: string;
}

/** What every player is shown, beside what the ledger says. */
export const shownBalances: Statement = {
  text: `SELECT p.user_id AS user, p.balance::text AS shown,
                (SELECT coalesce(sum(e.amount), 0) FROM trueup.entries e WHERE e.wallet_id = w.id)::text AS ledger
           FROM trueup.profiles p JOIN trueup.wallets w ON w.profile_id = p.id ORDER BY p.id`,
};

export const serverVersion: Statement = {
  text: `SELECT current_setting('server_version') AS version`,
};
