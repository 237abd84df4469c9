--! part: operations
-- What is needed to say why a cache was wrong: who wrote it by hand, and when nobody watched.

ALTER TABLE trueup.sync_installations
    ADD guard       text NOT NULL DEFAULT 'off' CHECK (guard IN ('keep', 'record', 'refuse', 'off')),
    ADD protected   boolean NOT NULL DEFAULT false,        -- the ledger was made append-only
    ADD deferred    boolean NOT NULL DEFAULT false,        -- profiles are carried by a worker
    ADD verified_at timestamptz;                           -- a whole check left nothing unrepaired

-- One row for every cache that somebody else than Trueup wrote, and what became of it. A refused
-- write is in the server's log only: its row went with its transaction. Never updated or deleted.
CREATE TABLE trueup.cache_writes (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger           text NOT NULL,                        -- schema-qualified and quoted
    part             text NOT NULL CHECK (part IN ('wallet', 'profile')),
    row_id           text NOT NULL,                        -- of the wallet or the profile
    field            text NOT NULL,                        -- balance, lifetimeEarnings, pendingBalance
    old_value        text,
    new_value        text,                                 -- what was written, kept or not
    action           text NOT NULL CHECK (action IN ('kept', 'recorded')),
    role             text NOT NULL DEFAULT session_user,
    application_name text NOT NULL DEFAULT current_setting('application_name'),
    writer           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    written_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX cache_writes_row ON trueup.cache_writes (ledger, part, row_id, id);

-- Spans of time in which the triggers of a ledger were not there, or switched off, as far as anybody
-- looked: removal and installation say so themselves, the healer and doctor notice the rest.
CREATE TABLE trueup.sync_gaps (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger       text NOT NULL,
    what         text NOT NULL CHECK (what IN ('missing', 'disabled')),
    last_seen_at timestamptz,                              -- when they were last known to be there
    noticed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz                               -- null: still open
);
CREATE UNIQUE INDEX sync_gaps_open ON trueup.sync_gaps (ledger) WHERE ended_at IS NULL;
