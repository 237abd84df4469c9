--! part: operations
-- By which schedule a slot was due and who is at work on it; and which conditions people have been told of.

ALTER TABLE trueup.schedule_slots
    ADD schedule     text NOT NULL DEFAULT '',             -- cron expression and time zone
    -- Of the scheduler that is at work on it. Whoever finds another one here has lost the slot.
    ADD token        uuid,
    ADD heartbeat_at timestamptz,                          -- null: nobody is at work on it
    ADD attempts     integer NOT NULL DEFAULT 1;
CREATE INDEX schedule_slots_open ON trueup.schedule_slots (ledger, job) WHERE finished_at IS NULL;

ALTER TABLE trueup.alerts
    ADD state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'recovered')),
    ADD delivered_to text[] NOT NULL DEFAULT '{}';         -- hooks that have accepted it

-- What is wrong now, as people were told of it. The signature says what they know: an alert is raised
-- when there is no row, or one with another signature.
CREATE TABLE trueup.alert_conditions (
    ledger     text NOT NULL,
    kind       text NOT NULL,
    signature  text NOT NULL,
    message    text NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ledger, kind)
);
