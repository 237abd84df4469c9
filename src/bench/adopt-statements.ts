/** The schema that the scenario `adopt` looks through, and what it is held against. */

/** Half of them look like wallets, the other half like ledgers, so that none is put aside early. */
const oneTable = (n: number): string =>
  n % 2 === 0
    ? `CREATE TABLE wallet_${String(n)} (id bigint PRIMARY KEY, user_id bigint UNIQUE, balance bigint, updated_at timestamptz)`
    : `CREATE TABLE entry_${String(n)} (id bigint PRIMARY KEY, wallet_id bigint, user_id bigint, amount bigint, reason text, created_at timestamptz)`;

/** As many tables as a transaction may lock, with the locks that a server allows by default. */
const AT_ONCE = 200;

/** So many tables, and among them those that are to be found. */
export function createTables(count: number): string[] {
  const texts: string[] = [];
  for (let n = 0; n < count; n += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, m) => oneTable(n + m));
    texts.push(some.join(';'));
  }
  return [
    ...texts,
    `CREATE TABLE coin_wallet (id bigint PRIMARY KEY, user_id bigint UNIQUE, cached_balance bigint, lifetime_earnings bigint);
     CREATE TABLE coin_transaction (id bigint PRIMARY KEY, wallet_id bigint REFERENCES coin_wallet, amount bigint,
       reason text, idempotency_key text UNIQUE, balance_after bigint, created_at timestamptz)`,
  ];
}

/** The least that has to be read: the columns of all tables. */
export const allColumns = `
SELECT c.oid::regclass::text AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS "type"
  FROM pg_class AS c
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace`;
