--! part: operations
-- Profiles that are carried after the commit, and events that an activity table could not take.

-- Deferred mode: the commit of an entry leaves a mark here in place of its profile's update. Marks are
-- only added, and deleted by the ids that were seen, in the transaction that carried their profile: a
-- mark that is added meanwhile stays. Nothing is updated here, so a row's place is good while it is locked.
CREATE TABLE trueup.profile_marks (
    id        bigint GENERATED ALWAYS AS IDENTITY,
    ledger    text NOT NULL,                               -- schema-qualified and quoted
    wallet_id text NOT NULL,
    writer    xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction of the entry
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ledger, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);

-- One row for every entry whose event the application's activity table did not take. Never deleted; the
-- healer writes the event and closes the row in one transaction.
CREATE TABLE trueup.activity_failures (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger          text NOT NULL,
    entry_id        text NOT NULL,
    sqlstate        text NOT NULL,
    message         text NOT NULL,
    writer          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    failed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts        integer NOT NULL DEFAULT 0,            -- of the healer, so far
    last_error      text,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    healed_at       timestamptz
);
CREATE INDEX activity_failures_waiting ON trueup.activity_failures (ledger, id) WHERE healed_at IS NULL;

-- Called by the sync triggers. The notification wakes the healer, as that of a sync failure does.
CREATE FUNCTION trueup.record_activity_failures(ledger text, entry_ids text[], sqlstate text, message text)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO trueup.activity_failures (ledger, entry_id, sqlstate, message)
    SELECT $1, e.id, $3, $4 FROM unnest($2) AS e (id);
    PERFORM pg_notify('trueup_sync_failure', $1);
END
$$;
REVOKE ALL ON FUNCTION trueup.record_activity_failures(text, text[], text, text) FROM PUBLIC;
