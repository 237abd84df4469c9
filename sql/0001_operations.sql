--! part: operations
-- What Trueup keeps for itself in every database it works on: the record of what it did.
-- The schema exists already: the migration runner keeps its own table in it.

-- Which ledgers have sync triggers, and from which mapping they were made.
CREATE TABLE trueup.sync_installations (
    ledger         text PRIMARY KEY,                       -- schema-qualified and quoted
    mapping        jsonb NOT NULL,
    function_name  text NOT NULL,
    installed_by   text NOT NULL DEFAULT session_user,
    installed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at     timestamptz
);

-- One row for every profile that could not follow its ledger in the commit. A row is never deleted:
-- it is also the evidence of why a cache was wrong. The healer closes it.
CREATE TABLE trueup.sync_failures (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger          text NOT NULL,
    wallet_id       text NOT NULL,
    profile_id      text NOT NULL,
    sqlstate        text NOT NULL,
    message         text NOT NULL,
    writer          xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction of the entry
    failed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts        integer NOT NULL DEFAULT 0,            -- of the healer, so far
    last_error      text,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    healed_at       timestamptz
);
CREATE INDEX sync_failures_waiting ON trueup.sync_failures (ledger, next_attempt_at)
    WHERE healed_at IS NULL;

-- Called by the sync triggers where a profile could not follow. The notification reaches the healer
-- when the entry commits; without a healer the row waits for one.
CREATE FUNCTION trueup.record_sync_failure(ledger text, wallet_id text, profile_id text,
                                           sqlstate text, message text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO trueup.sync_failures (ledger, wallet_id, profile_id, sqlstate, message)
    VALUES ($1, $2, $3, $4, $5);
    PERFORM pg_notify('trueup_sync_failure', $1);
END
$$;
REVOKE ALL ON FUNCTION trueup.record_sync_failure(text, text, text, text, text) FROM PUBLIC;

-- One row for everything that set out to repair caches: a run of reconcile, a pass of the healer, a
-- call of a service that found drift.
CREATE TABLE trueup.runs (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('reconcile', 'heal', 'service')),
    ledger      text NOT NULL,                             -- schema-qualified and quoted
    options     jsonb NOT NULL,
    version     text NOT NULL,                             -- of Trueup
    started_by  text NOT NULL DEFAULT session_user,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    exit_status integer,
    counts      jsonb
);
CREATE INDEX runs_started_at ON trueup.runs (started_at);

-- One row for every wallet that was repaired, written in the transaction that repaired it.
-- changes: {"wallet.balance": ["7", "494"], "profile.balance": [null, "494"]}, before and after.
-- No foreign key to runs: every repair would lock the one row of its run, which took 5 of the 28 ms
-- for 1,000 repairs.
CREATE TABLE trueup.repairs (
    run_id      uuid NOT NULL,
    wallet_id   text NOT NULL,
    profile_id  text,
    user_id     text,
    cause       text NOT NULL,
    changes     jsonb NOT NULL,
    writer      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    repaired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (wallet_id, run_id)
);
-- The repairs of one run lie together in time; a second index of every row took a tenth of a repair.
CREATE INDEX repairs_time ON trueup.repairs USING brin (repaired_at);
