import type { Statement } from '../postgres/database.js';
import { switchInsertTriggers } from './statements.js';

/** Data and hand-written baselines of the group `reconcile`, on Trueup's own tables. */

/** Trueup's own tables, filled without a trigger: they would number millions of rows one by one. */
export function fillOwnTables(wallets: number, entries: number): Statement[] {
  return [
    {
      text: `INSERT INTO trueup.profiles (id, user_id)
             SELECT n, n::text FROM generate_series(1, $1::bigint) AS n`,
      values: [wallets],
    },
    {
      text: `INSERT INTO trueup.wallets (id, profile_id, allow_overdraft)
             SELECT n, n, true FROM generate_series(1, $1::bigint) AS n`,
      values: [wallets],
    },
    { text: switchInsertTriggers('DISABLE') },
    ...putIndexesAside,
    {
      // 7919 is a prime: the entries of a wallet lie far from each other, as they do in life.
      text: `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, writer, created_at)
             SELECT g.wallet_id, row_number() OVER o, g.amount, sum(g.amount) OVER o, 'winner', pg_current_xact_id(), now()
               FROM (SELECT n, 1 + n * 7919 % $1::bigint AS wallet_id, CASE WHEN n % 5 = 0 THEN -1 ELSE 1 END * (1 + n % 97) AS amount
                       FROM generate_series(1, $2::bigint) AS n) AS g
             WINDOW o AS (PARTITION BY g.wallet_id ORDER BY g.n)
              ORDER BY g.n`,
      values: [wallets, entries],
    },
    ...putIndexesBack,
    { text: switchInsertTriggers('ENABLE') },
    ...settleOwnTables,
    { text: 'VACUUM ANALYZE trueup.entries' },
    ...inPlace,
    { text: 'CHECKPOINT' },
  ];
}

/**
 * Rows where a running platform has them. Settling all caches in two statements moves every row, in the
 * order of a hash table; entry by entry, rows stay on their pages (fillfactor 80: of 400,000 updates of
 * 50,000 wallets every one was HOT).
 */
const inPlace: readonly Statement[] = ['wallets', 'profiles'].flatMap((table) => [
  { text: `CLUSTER trueup.${table} USING ${table}_pkey` },
  { text: `VACUUM ANALYZE trueup.${table}` },
]);

/** Rows anywhere, as in an adopted table without room on its pages, or with random ids. */
export const scatter: readonly Statement[] = [
  ...['wallets', 'profiles'].flatMap((table) => [
    { text: `CREATE INDEX bench_scattered ON trueup.${table} (hashint8extended(id, 0))` },
    { text: `CLUSTER trueup.${table} USING bench_scattered` },
    { text: 'DROP INDEX trueup.bench_scattered' },
    { text: `VACUUM ANALYZE trueup.${table}` },
  ]),
  { text: 'CHECKPOINT' },
];

/** Without indexes and foreign keys 10,000,000 entries take a minute or two; with them, a quarter of an hour. */
const putIndexesAside: readonly Statement[] = [
  {
    text: `CREATE TABLE trueup.bench_aside AS
           SELECT format('ALTER TABLE trueup.entries DROP CONSTRAINT %I', c.conname) AS away,
                  format('ALTER TABLE trueup.entries ADD CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid)) AS back
             FROM pg_constraint AS c WHERE c.conrelid = 'trueup.entries'::regclass AND c.contype = 'f'
            UNION ALL
           SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
             FROM pg_index AS i WHERE i.indrelid = 'trueup.entries'::regclass AND NOT i.indisprimary`,
  },
  { text: everyOneOf('away') },
];

const putIndexesBack: readonly Statement[] = [
  { text: everyOneOf('back') },
  { text: 'DROP TABLE trueup.bench_aside' },
];

function everyOneOf(column: 'away' | 'back'): string {
  return `DO $$ DECLARE one text;
          BEGIN
            SET LOCAL maintenance_work_mem = '512MB';
            FOR one IN SELECT ${column} FROM trueup.bench_aside LOOP EXECUTE one; END LOOP;
          END $$`;
}

/** Makes every cache right, in two statements. */
export const settleOwnTables: readonly Statement[] = [
  {
    text: `UPDATE trueup.wallets AS w SET balance = t.balance, lifetime_earnings = t.earnings
             FROM (SELECT wallet_id, sum(amount) AS balance, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS earnings
                     FROM trueup.entries GROUP BY wallet_id) AS t
            WHERE w.id = t.wallet_id`,
  },
  {
    text: `UPDATE trueup.profiles AS p SET balance = w.balance, lifetime_earnings = w.lifetime_earnings
             FROM trueup.wallets AS w WHERE w.profile_id = p.id`,
  },
];

/** Puts a wrong balance into so many wallets and their profiles. */
export function drift(wallets: number): Statement[] {
  return [
    {
      text: 'UPDATE trueup.wallets SET balance = balance + 7 WHERE id IN (SELECT id FROM trueup.wallets ORDER BY id LIMIT $1)',
      values: [wallets],
    },
    {
      text: `UPDATE trueup.profiles SET balance = balance + 9, lifetime_earnings = 0
              WHERE id IN (SELECT id FROM trueup.profiles ORDER BY id LIMIT $1)`,
      values: [wallets],
    },
    { text: 'VACUUM trueup.wallets' },
    { text: 'VACUUM trueup.profiles' },
    { text: 'CHECKPOINT' },
  ];
}

export const bareGroupBy: Statement = {
  text: `SELECT count(*) FROM (SELECT wallet_id, sum(amount) FROM trueup.entries GROUP BY wallet_id) AS t`,
};

/** The whole comparison over whole tables, written by hand: all that reconcile checks, unbatched. */
export const wholeComparison: Statement = {
  text: `SELECT w.id FROM trueup.wallets AS w
           FULL JOIN (SELECT wallet_id, count(*) AS entries, sum(amount) AS balance,
                             coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS earnings,
                             sum((hashint8extended(balance_after, seq) >> 2)
                                 - (hashint8extended(balance_after - amount, seq - 1) >> 2)) AS chain
                        FROM trueup.entries GROUP BY wallet_id) AS t ON t.wallet_id = w.id
           LEFT JOIN trueup.profiles AS p ON p.id = w.profile_id
           LEFT JOIN (SELECT wallet_id, sum(held) AS held FROM trueup.holds
                       WHERE ledger = '"trueup"."entries"' AND state = 'open' GROUP BY wallet_id) AS h ON h.wallet_id = w.id::text
          WHERE w.id IS NULL
             OR w.pending_balance IS DISTINCT FROM coalesce(h.held, 0)
             OR w.balance IS DISTINCT FROM coalesce(t.balance, 0)
             OR w.lifetime_earnings IS DISTINCT FROM coalesce(t.earnings, 0)
             OR w.profile_id IS NOT NULL AND (p.balance IS DISTINCT FROM coalesce(t.balance, 0)
                                           OR p.lifetime_earnings IS DISTINCT FROM coalesce(t.earnings, 0))
             OR t.wallet_id IS NOT NULL AND t.chain IS DISTINCT FROM
                (hashint8extended(t.balance::bigint, t.entries) >> 2) - (hashint8extended(0, 0) >> 2)
          UNION ALL
         SELECT p.id FROM trueup.profiles AS p
          WHERE (p.balance <> 0 OR p.lifetime_earnings <> 0)
            AND NOT EXISTS (SELECT FROM trueup.wallets AS w WHERE w.profile_id = p.id)`,
};

/** An entry by somebody who knows nothing of numbers and caches. */
export const insertEntry: Statement = {
  name: 'bench_entry',
  text: `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'winner')`,
};

/** So many entries of so many wallets that lie far from each other; other wallets in each round. */
export function addEntries(entries: number, wallets: number, round: number): Statement[] {
  return [
    {
      text: `INSERT INTO trueup.entries (wallet_id, amount, reason)
             SELECT w.id, 1 + n % 97, 'winner'
               FROM generate_series(0, $1::bigint - 1) AS n
               JOIN (SELECT w.id, row_number() OVER (ORDER BY hashint8extended(w.id, $3), w.id) - 1 AS place
                       FROM trueup.wallets AS w) AS w ON w.place = n % $2::bigint`,
      values: [Math.max(1, Math.round(entries)), Math.max(1, Math.round(wallets)), round],
    },
  ];
}

/** The original's way of repairing one wallet, statement by statement, as its ORM sends them: unprepared. */
export const originalRepair = {
  lockWallet: {
    text: 'SELECT profile_id FROM trueup.wallets WHERE id = $1 FOR UPDATE',
  },
  lockProfile: {
    text: 'SELECT id FROM trueup.profiles WHERE id = $1 FOR UPDATE',
  },
  sum: {
    text: `SELECT coalesce(sum(amount), 0) AS balance, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS earnings
             FROM trueup.entries WHERE wallet_id = $1`,
  },
  updateWallet: {
    text: 'UPDATE trueup.wallets SET balance = $2, lifetime_earnings = $3, updated_at = now() WHERE id = $1',
  },
  updateProfile: {
    text: 'UPDATE trueup.profiles SET balance = $2, lifetime_earnings = $3, updated_at = now() WHERE id = $1',
  },
} satisfies Record<string, Statement>;

export const ownWalletIds: Statement = {
  text: 'SELECT id::text FROM trueup.wallets ORDER BY id DESC LIMIT $1',
};
