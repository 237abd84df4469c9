--! part: operations
-- What wallets held when the sync was installed, where the ledger had no entry of them. With their first
-- entry they look like wallets with a wrong balance: as long as cache and ledger differ by just this, it
-- is known to be the coins from before, and no repair takes them away. `trueup adopt --opening-balances`
-- posts them and deletes the row.
CREATE TABLE trueup.opening_balances (
    ledger      text NOT NULL,                             -- schema-qualified and quoted
    wallet_id   text NOT NULL,
    balance     numeric NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ledger, wallet_id)
);
