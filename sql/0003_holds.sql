--! part: operations
-- Coins set aside, and how fast a wallet may spend. Both are Trueup's own, whatever ledger they serve.

-- A hold: coins of a wallet that wait for a purchase or a withdrawal. It ends captured, released or
-- expired; a capture is an entry of the ledger. No row is ever deleted.
CREATE TABLE trueup.holds (
    id              uuid PRIMARY KEY,
    ledger          text NOT NULL,                         -- schema-qualified and quoted
    wallet_id       text NOT NULL,
    amount          bigint NOT NULL CHECK (amount > 0),
    captured        bigint NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'captured', 'released', 'expired')),
    -- What it still keeps from being spent: the wallet's pending balance is the sum of these.
    held            bigint GENERATED ALWAYS AS (CASE WHEN state = 'open' THEN amount - captured ELSE 0 END) STORED,
    reason          text NOT NULL,
    note            text,
    metadata        jsonb,
    actor           text,
    idempotency_key text,
    release_key     text,
    expires_at      timestamptz,                           -- null: never
    created_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    CONSTRAINT holds_closed_has_time CHECK ((state = 'open') = (closed_at IS NULL)),
    CONSTRAINT holds_captured_wholly CHECK ((captured = amount) = (state = 'captured'))
);
CREATE INDEX holds_wallet ON trueup.holds (ledger, wallet_id, created_at);
CREATE INDEX holds_open ON trueup.holds (ledger, wallet_id) INCLUDE (held, expires_at) WHERE state = 'open';
CREATE INDEX holds_expiring ON trueup.holds (ledger, expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;
CREATE UNIQUE INDEX holds_idempotency_key ON trueup.holds (ledger, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX holds_release_key ON trueup.holds (ledger, release_key) WHERE release_key IS NOT NULL;

-- A hold moves in one direction only: more of it is captured, until it is closed; and closed is closed.
CREATE FUNCTION trueup.guard_hold() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION USING ERRCODE = 'TU005',
            MESSAGE = format('%s of trueup.holds is refused: a hold is closed, never deleted', TG_OP),
            HINT = 'Release the hold instead.';
    END IF;
    IF OLD.state <> 'open' OR NEW.captured < OLD.captured
       OR (OLD.id, OLD.ledger, OLD.wallet_id, OLD.amount, OLD.reason, OLD.created_at)
          IS DISTINCT FROM (NEW.id, NEW.ledger, NEW.wallet_id, NEW.amount, NEW.reason, NEW.created_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'TU005',
            MESSAGE = format('hold %s is %s and cannot be changed like this', OLD.id, OLD.state),
            HINT = 'Capture it, or release it, once.';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION trueup.guard_hold() FROM PUBLIC;
CREATE TRIGGER trueup_guard BEFORE UPDATE ON trueup.holds
    FOR EACH ROW EXECUTE FUNCTION trueup.guard_hold();
CREATE TRIGGER trueup_keep BEFORE DELETE OR TRUNCATE ON trueup.holds
    FOR EACH STATEMENT EXECUTE FUNCTION trueup.guard_hold();

-- How much may be spent in a window of time. A limit of one wallet takes the place of the general one
-- for the same reason and window.
CREATE TABLE trueup.spending_limits (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger         text NOT NULL,
    wallet_id      text,                                   -- null: every wallet
    reason         text,                                   -- null: every reason
    amount         bigint NOT NULL CHECK (amount >= 0),
    window_seconds integer NOT NULL CHECK (window_seconds > 0),
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE NULLS NOT DISTINCT (ledger, wallet_id, reason, window_seconds)
);

-- What was spent under a limit in its present window. One row for each wallet and limit, which is
-- used again in the next window: it does not grow with history.
CREATE TABLE trueup.spending (
    limit_id     bigint NOT NULL REFERENCES trueup.spending_limits ON DELETE CASCADE,
    wallet_id    text NOT NULL,
    window_start bigint NOT NULL,                          -- seconds since 1970, a multiple of the window
    spent        bigint NOT NULL CHECK (spent >= 0),
    PRIMARY KEY (limit_id, wallet_id)
) WITH (fillfactor = 80);
