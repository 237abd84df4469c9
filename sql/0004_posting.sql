--! part: ledger
-- What the posting engine needs of Trueup's own tables: currencies, limits, freezing, reversals, and
-- a way in for entries that are numbered already.

ALTER TABLE trueup.wallets
    ADD COLUMN currency      text NOT NULL DEFAULT 'coins' CHECK (currency <> ''),
    ADD COLUMN is_primary    boolean NOT NULL DEFAULT true, -- the one that its profile shows
    ADD COLUMN frozen        boolean NOT NULL DEFAULT false,
    ADD COLUMN frozen_reason text,
    ADD COLUMN min_balance   bigint CHECK (min_balance <= 0), -- with allow_overdraft; null: no floor
    ADD COLUMN max_balance   bigint CHECK (max_balance >= 0), -- null: no ceiling
    DROP CONSTRAINT wallets_profile_id_key,
    DROP CONSTRAINT wallets_not_overdrawn,
    -- Held coins cannot be spent either, whoever writes.
    ADD CONSTRAINT wallets_not_overdrawn CHECK (
        CASE WHEN allow_overdraft THEN balance - pending_balance >= coalesce(min_balance, balance - pending_balance)
             ELSE balance - pending_balance >= 0 END);
CREATE UNIQUE INDEX wallets_profile_currency ON trueup.wallets (profile_id, currency);
CREATE UNIQUE INDEX wallets_primary ON trueup.wallets (profile_id) WHERE is_primary;

-- The foreign keys of every entry cost a tenth of the posting rate, and check what is locked already:
-- whoever numbers an entry locks its wallet. What they kept from happening, triggers keep now.
ALTER TABLE trueup.entries
    ADD COLUMN reverses_entry_id bigint,                   -- the entry that this one takes back
    ADD COLUMN hold_id           uuid,                     -- the hold that this one captures
    DROP CONSTRAINT entries_wallet_id_fkey,
    DROP CONSTRAINT entries_counterparty_wallet_id_fkey;
CREATE UNIQUE INDEX entries_reversed_once ON trueup.entries (reverses_entry_id)
    WHERE reverses_entry_id IS NOT NULL;
CREATE INDEX entries_hold ON trueup.entries (hold_id) WHERE hold_id IS NOT NULL;

CREATE FUNCTION trueup.keep_wallet() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' OR EXISTS (SELECT FROM trueup.entries WHERE wallet_id = OLD.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'TU006',
            MESSAGE = CASE TG_OP WHEN 'TRUNCATE' THEN 'TRUNCATE of trueup.wallets is refused'
                                 ELSE format('wallet %s has entries and has to stay', OLD.id) END,
            HINT = 'Freeze the wallet instead.';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
REVOKE ALL ON FUNCTION trueup.keep_wallet() FROM PUBLIC;
CREATE TRIGGER trueup_keep BEFORE DELETE ON trueup.wallets
    FOR EACH ROW EXECUTE FUNCTION trueup.keep_wallet();
CREATE TRIGGER trueup_keep_id BEFORE UPDATE OF id ON trueup.wallets
    FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION trueup.keep_wallet();
CREATE TRIGGER trueup_keep_all BEFORE TRUNCATE ON trueup.wallets
    FOR EACH STATEMENT EXECUTE FUNCTION trueup.keep_wallet();
ALTER TABLE trueup.wallets
    ENABLE ALWAYS TRIGGER trueup_keep,
    ENABLE ALWAYS TRIGGER trueup_keep_id,
    ENABLE ALWAYS TRIGGER trueup_keep_all;

-- The posting engine holds the locks and knows the numbers; its mark is the transaction id that
-- nobody else fills in. Everybody else's entries are numbered, or their numbers checked, as before.
CREATE OR REPLACE FUNCTION trueup.number_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_seq     bigint;
    last_balance bigint;
BEGIN
    PERFORM FROM trueup.wallets WHERE id = NEW.wallet_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TU001',
            MESSAGE = format('there is no wallet %s', coalesce(NEW.wallet_id::text, 'null')),
            HINT = 'Open the wallet first.';
    END IF;
    IF NEW.counterparty_wallet_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM trueup.wallets WHERE id = NEW.counterparty_wallet_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'TU001',
            MESSAGE = format('there is no wallet %s to be the counterparty', NEW.counterparty_wallet_id),
            HINT = 'Leave counterparty_wallet_id out for coins from outside.';
    END IF;
    SELECT seq, balance_after INTO last_seq, last_balance
      FROM trueup.entries WHERE wallet_id = NEW.wallet_id ORDER BY seq DESC LIMIT 1;
    last_seq := coalesce(last_seq, 0) + 1;
    last_balance := coalesce(last_balance, 0) + NEW.amount;
    IF NEW.seq <> last_seq OR NEW.balance_after <> last_balance THEN
        RAISE EXCEPTION USING ERRCODE = 'TU004',
            MESSAGE = format('entry %s of wallet %s would have to be number %s with the balance %s after it',
                             NEW.seq, NEW.wallet_id, last_seq, last_balance),
            HINT = 'Leave seq and balance_after out.';
    END IF;
    NEW.seq := last_seq;
    NEW.balance_after := last_balance;
    NEW.writer := pg_current_xact_id();
    NEW.created_at := coalesce(NEW.created_at, clock_timestamp());
    RETURN NEW;
END
$$;
DROP TRIGGER trueup_number ON trueup.entries;
CREATE TRIGGER trueup_number BEFORE INSERT ON trueup.entries
    FOR EACH ROW WHEN (NEW.seq IS NULL OR NEW.writer IS DISTINCT FROM pg_current_xact_id())
    EXECUTE FUNCTION trueup.number_entry();
