import { arrayOf } from '../ledger/arrays.js';
import type { Statement } from '../postgres/database.js';
import { settleOwnTables } from './reconcile-statements.js';
import { switchInsertTriggers } from './statements.js';

/** Tables, data and hand-written baselines of the group `post`. */

/** What every wallet gets in its first entry: enough for all rounds, so that no transfer is refused. */
export const OPENING = 1_000_000_000_000;

/** What each entry after the first one moves. */
const MOVED = 10;

/**
 * Trueup's own wallets and entries, filled without triggers. The first entry of a wallet brings coins
 * from outside. The rest are transfers, each with a key, of which one wallet of a pair always pays:
 * so every number is known without adding up millions of rows. 7919 is a prime: the entries of a
 * wallet lie far from each other, as they do in life.
 *
 * @param wallets an even number
 * @param filled how many of them, from the first on, have `each` entries; the others have one
 */
export function fillPosting(wallets: number, filled: number, each: number): Statement[] {
  const history = [];
  const step = Math.max(1, Math.floor(1_000_000 / filled));
  for (let from = 1; from < each; from += step) {
    const last = Math.min(each, from + step) * filled - 1;
    history.push(transfers(filled, from * filled, last, wallets));
  }
  return [
    {
      text: `INSERT INTO trueup.profiles (id, user_id) SELECT n, n::text FROM generate_series(1, $1::bigint) AS n`,
      values: [wallets],
    },
    {
      text: 'INSERT INTO trueup.wallets (id, profile_id) SELECT n, n FROM generate_series(1, $1::bigint) AS n',
      values: [wallets],
    },
    { text: switchInsertTriggers('DISABLE') },
    {
      text: `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, writer, created_at)
             SELECT n, 1, $2::bigint, $2::bigint, 'opening_balance', pg_current_xact_id(), now() - interval '1 day'
               FROM generate_series(1, $1::bigint) AS n`,
      values: [wallets, OPENING],
    },
    { text: `SELECT setval('trueup.transactions', $1)`, values: [wallets + filled * each] },
    ...history,
    { text: switchInsertTriggers('ENABLE') },
    ...settleOwnTables,
    { text: 'VACUUM FULL trueup.wallets' },
    { text: 'VACUUM FULL trueup.profiles' },
    ...tidy('trueup'),
  ];
}

/** Entries number `first` to `last` of all, two of which are a transfer. */
function transfers(
  wallets: number,
  first: number,
  last: number,
  transactionsBefore: number,
): Statement {
  return {
    text: `INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, transaction_id, counterparty_wallet_id,
                                   reason, idempotency_key, writer, created_at)
           SELECT 1 + n * 7919 % $1::bigint, n / $1 + 1, g.sign * $4::bigint, $5::bigint + g.sign * $4::bigint * (n / $1), $6::bigint + n / 2,
                  1 + (n + 1 - n % 2 * 2) * 7919 % $1, 'p2p_transfer', CASE WHEN n % 2 = 0 THEN 'filled:' || n / 2 END,
                  pg_current_xact_id(), now()
             FROM (SELECT n, n % 2 * 2 - 1 AS sign FROM generate_series($2::bigint, $3::bigint) AS n) AS g`,
    values: [wallets, first, last, MOVED, OPENING, transactionsBefore],
  };
}

/** Both sides of a round begin with tables that are vacuumed, and with nothing left to be flushed. */
export function tidy(schema: Schema): Statement[] {
  return [...tablesOf(schema).map((table) => ({ text: `VACUUM (ANALYZE) ${table}` })), CHECKPOINT];
}

const CHECKPOINT: Statement = { text: 'CHECKPOINT' };

/** Whose tables: Trueup's, or the copies that the hand-written baselines write. */
export type Schema = 'trueup' | 'bare';

/** The tables that a posting writes. */
function tablesOf(schema: Schema): string[] {
  return ['entries', 'wallets', 'profiles'].map((table) => `${schema}.${table}`);
}

export function sizeAndLast(schema: Schema): Statement {
  const sizes = tablesOf(schema).map((table) => `pg_total_relation_size('${table}')`);
  return {
    text: `SELECT (${sizes.join(' + ')})::float8 AS bytes, (SELECT coalesce(max(id), 0)::text FROM ${schema}.entries) AS last`,
  };
}

export function entriesSince(schema: Schema, last: string): Statement {
  return {
    text: `SELECT count(*)::integer AS entries FROM ${schema}.entries WHERE id > $1`,
    values: [last],
  };
}

/**
 * The same tables once more, with the same columns, indexes, checks and fill factors, and the same
 * rows, but without a trigger.
 */
export const createBare: readonly string[] = [
  'CREATE SCHEMA bare',
  ...['entries', 'wallets', 'profiles'].flatMap((table) => [
    `CREATE TABLE bare.${table} (LIKE trueup.${table} INCLUDING ALL)`,
    // LIKE leaves the fill factor out.
    `DO $$
     DECLARE options text := (SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'trueup.${table}'::regclass);
     BEGIN
         IF options <> '' THEN EXECUTE format('ALTER TABLE bare.${table} SET (%s)', options); END IF;
     END $$`,
    `INSERT INTO bare.${table} OVERRIDING SYSTEM VALUE SELECT * FROM trueup.${table}`,
  ]),
  `SELECT setval(pg_get_serial_sequence('bare.entries', 'id'), (SELECT max(id) FROM bare.entries))`,
];

/** One batch for the bare tables, column by column. */
export interface BareBatch {
  readonly entries: {
    readonly walletIds: number[];
    readonly seqs: number[];
    readonly amounts: number[];
    readonly balances: number[];
    readonly transactions: number[];
    readonly counterparties: number[];
    readonly keys: (string | null)[];
  };
  /** By wallet, which has the id of its profile: balance and earnings to be added. */
  readonly caches: ReadonlyMap<number, { balance: number; earnings: number }>;
}

/** The rows of a batch with nothing but what writes them. */
export function writeBare({ entries, caches }: BareBatch): Statement[] {
  const changes = [...caches.values()];
  const values = [
    arrayOf([...caches.keys()]),
    arrayOf(changes.map(({ balance }) => balance)),
    arrayOf(changes.map(({ earnings }) => earnings)),
  ];
  return [
    { text: 'BEGIN' },
    {
      name: 'bare_entries',
      text: `INSERT INTO bare.entries (wallet_id, seq, amount, balance_after, transaction_id, counterparty_wallet_id,
                                   idempotency_key, reason, writer, created_at)
             SELECT u.*, 'p2p_transfer', pg_current_xact_id(), now()
               FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[]) AS u`,
      values: [
        arrayOf(entries.walletIds),
        arrayOf(entries.seqs),
        arrayOf(entries.amounts),
        arrayOf(entries.balances),
        arrayOf(entries.transactions),
        arrayOf(entries.counterparties),
        arrayOf(entries.keys),
      ],
    },
    { name: 'bare_wallets', text: addToCaches('bare.wallets'), values },
    { name: 'bare_profiles', text: addToCaches('bare.profiles'), values },
    { text: 'COMMIT' },
  ];
}

function addToCaches(table: string): string {
  return `UPDATE ${table} AS c
     SET balance = c.balance + u.balance, lifetime_earnings = c.lifetime_earnings + u.earnings, updated_at = now()
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (id, balance, earnings) WHERE c.id = u.id`;
}

/**
 * One transfer, one transaction, as a careful engineer writes it by hand: locks in id order, the key
 * and the last numbers are read behind the locks, and each table is written by one statement.
 */
export const createTransfer = `
CREATE FUNCTION bare.transfer(payer bigint, payee bigint, coins bigint, why text, key text) RETURNS text
    LANGUAGE plpgsql
AS $$
DECLARE
    wallet         record;
    payer_profile  bigint;
    payee_profile  bigint;
    spendable      boolean;
    payer_seq      bigint;
    payer_balance  bigint;
    payee_seq      bigint;
    payee_balance  bigint;
    new_id         bigint;
BEGIN
    FOR wallet IN
        SELECT w.id, w.profile_id, w.frozen, w.allow_overdraft OR w.balance - w.pending_balance >= coins AS spendable
          FROM bare.wallets AS w WHERE w.id IN (payer, payee) ORDER BY w.id FOR NO KEY UPDATE
    LOOP
        IF wallet.frozen THEN RETURN 'wallet_frozen'; END IF;
        IF wallet.id = payer THEN
            payer_profile := wallet.profile_id;
            spendable := wallet.spendable;
        ELSE
            payee_profile := wallet.profile_id;
        END IF;
    END LOOP;
    SELECT e.transaction_id INTO new_id FROM bare.entries AS e WHERE e.idempotency_key = key;
    IF FOUND THEN RETURN new_id; END IF;
    IF NOT spendable THEN RETURN 'insufficient_funds'; END IF;
    SELECT e.seq, e.balance_after INTO payer_seq, payer_balance
      FROM bare.entries AS e WHERE e.wallet_id = payer ORDER BY e.seq DESC LIMIT 1;
    SELECT e.seq, e.balance_after INTO payee_seq, payee_balance
      FROM bare.entries AS e WHERE e.wallet_id = payee ORDER BY e.seq DESC LIMIT 1;
    new_id := nextval('trueup.transactions');
    INSERT INTO bare.entries (wallet_id, seq, amount, balance_after, transaction_id, counterparty_wallet_id, reason,
                              idempotency_key, writer, created_at)
    VALUES (payer, coalesce(payer_seq, 0) + 1, -coins, coalesce(payer_balance, 0) - coins, new_id, payee, why,
            key, pg_current_xact_id(), now()),
           (payee, coalesce(payee_seq, 0) + 1, coins, coalesce(payee_balance, 0) + coins, new_id, payer, why,
            NULL, pg_current_xact_id(), now());
    UPDATE bare.wallets AS w
       SET balance = w.balance + CASE w.id WHEN payer THEN -coins ELSE coins END,
           lifetime_earnings = w.lifetime_earnings + CASE w.id WHEN payer THEN 0 ELSE coins END, updated_at = now()
     WHERE w.id IN (payer, payee);
    UPDATE bare.profiles AS p
       SET balance = p.balance + CASE p.id WHEN payer_profile THEN -coins ELSE coins END,
           lifetime_earnings = p.lifetime_earnings + CASE p.id WHEN payer_profile THEN 0 ELSE coins END, updated_at = now()
     WHERE p.id IN (payer_profile, payee_profile);
    RETURN new_id;
END
$$`;

/** A connection of the baseline keeps its plans; none may be a scan of what is a small table today. */
export const searchByIndex: Statement = { text: 'SET enable_seqscan = off' };

export function callTransfer(payer: number, payee: number, coins: number, key: string): Statement {
  return {
    name: 'bare_transfer',
    text: `SELECT bare.transfer($1, $2, $3, 'p2p_transfer', $4) AS outcome`,
    values: [payer, payee, coins, key],
  };
}
