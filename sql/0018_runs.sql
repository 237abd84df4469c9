--! part: operations
-- Runs that can be followed, steered, resumed and undone; what they left for people to decide; and what
-- is known to be right since when.

ALTER TABLE trueup.runs
    DROP CONSTRAINT runs_kind_check,
    ADD CONSTRAINT runs_kind_check
        CHECK (kind IN ('reconcile', 'heal', 'service', 'approve', 'apply', 'undo')),
    ADD scope        text NOT NULL DEFAULT 'some'          -- which wallets
        CHECK (scope IN ('all', 'incremental', 'some')),
    ADD state        text NOT NULL DEFAULT 'running'
        -- interrupted: it can be resumed. stopped: by a safety rail, before its first write.
        -- abandoned: its process ended without a word; it can be resumed too.
        CHECK (state IN ('running', 'finished', 'interrupted', 'stopped', 'failed', 'abandoned')),
    ADD host         text,                                 -- of the process
    ADD process      integer,                              -- its id there
    ADD unattended   boolean NOT NULL DEFAULT false,
    ADD fingerprint  text,                                 -- of what must be the same to resume it
    ADD resumed      integer NOT NULL DEFAULT 0,           -- how often it was
    ADD checkpoint   jsonb,                                -- up to where everything is done
    ADD progress     jsonb,                                -- what it had counted at the checkpoint
    ADD watermark    xid8,                                 -- transactions before this had ended when it began
    ADD error        text,                                 -- why it failed or was stopped
    -- The lease. A holder whose token is no longer here has lost the run and must not go on.
    ADD token        uuid,
    ADD backend      integer,                              -- process id of the holder's own session
    ADD heartbeat_at timestamptz,
    -- Steering, from any terminal.
    ADD control      text NOT NULL DEFAULT 'run' CHECK (control IN ('run', 'pause', 'stop')),
    ADD waiting      text;                                 -- why it is not at work just now
UPDATE trueup.runs SET state = CASE WHEN finished_at IS NULL THEN 'abandoned' ELSE 'finished' END;

-- One run over a whole ledger at a time.
CREATE UNIQUE INDEX runs_under_way ON trueup.runs (ledger)
    WHERE kind = 'reconcile' AND state = 'running' AND scope <> 'some';

-- A resumed run may meet a wallet again that it has repaired already.
ALTER TABLE trueup.repairs
    DROP CONSTRAINT repairs_pkey,
    ADD PRIMARY KEY (wallet_id, run_id, writer);

-- Every repaired cache as a row: what it was, what it became, and the difference in coins.
CREATE VIEW trueup.repaired_caches AS
SELECT r.run_id, r.wallet_id, r.profile_id, r.user_id, split_part(c.key, '.', 1) AS part,
       split_part(c.key, '.', 2) AS field, c.value ->> 0 AS before, c.value ->> 1 AS after,
       CASE WHEN c.value ->> 0 ~ '^-?[0-9]+([.][0-9]+)?$'
            THEN (c.value ->> 1)::numeric - (c.value ->> 0)::numeric END AS delta,
       r.cause, r.writer, r.repaired_at
  FROM trueup.repairs AS r CROSS JOIN LATERAL jsonb_each(r.changes) AS c;

-- What a run found and did not repair. Repaired drift is in trueup.repairs.
CREATE TABLE trueup.findings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      uuid NOT NULL,
    ledger      text NOT NULL,                             -- schema-qualified and quoted
    wallet_id   text,
    profile_id  text,
    user_id     text,
    -- reported: there is nothing to write. review: larger than the run may repair by itself.
    -- critical: the ledger's sum is negative without overdraft. skipped: locked by others.
    -- failed: the database refused the repair. The last two have no part and no field.
    state       text NOT NULL CHECK (state IN ('reported', 'review', 'critical', 'skipped', 'failed')),
    part        text CHECK (part IN ('wallet', 'profile')),
    field       text,
    cached      text,
    expected    text,
    delta       numeric,                                   -- expected - cached, in coins
    cause       text,
    evidence    jsonb,
    message     text,                                      -- of skipped and failed
    found_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Closed by a later run that looked at the wallet again, whatever it found then.
    settled_at  timestamptz,
    settled_by  uuid
);
CREATE INDEX findings_run ON trueup.findings (run_id, id);
CREATE INDEX findings_open ON trueup.findings (ledger, wallet_id) WHERE settled_at IS NULL;

-- Wallets that the survey of a run saw drifted, until the run has repaired them. The rails are judged
-- by these before the first write.
CREATE TABLE trueup.suspects (
    run_id     uuid NOT NULL,
    position   bigint GENERATED ALWAYS AS IDENTITY,
    wallet_id  text NOT NULL,
    delta      numeric NOT NULL,                           -- the largest difference of its caches, in coins
    PRIMARY KEY (run_id, position)
);

-- Up to where a ledger is verified: what had been committed before this was looked at.
CREATE TABLE trueup.checkpoints (
    ledger      text PRIMARY KEY,
    watermark   xid8 NOT NULL,
    system_id   bigint,                                    -- of the server: transaction ids mean nothing on another
    fingerprint text NOT NULL,                             -- of mapping and triggers
    verified_at timestamptz NOT NULL,
    run_id      uuid NOT NULL
);

-- When each range of wallets, in the order of their ids, was last verified as a whole. The ranges of a
-- ledger cover all ids and do not overlap. null: open to that side.
CREATE TABLE trueup.verified_ranges (
    ledger      text NOT NULL,
    above       text,
    up_to       text,
    wallets     bigint NOT NULL,
    coins       numeric NOT NULL,                          -- what they held
    verified_at timestamptz NOT NULL,
    run_id      uuid NOT NULL
);
CREATE UNIQUE INDEX verified_ranges_above ON trueup.verified_ranges (ledger, above) NULLS NOT DISTINCT;

-- Every time at which a scheduled job was due: one of many processes inserts it, and runs the job.
CREATE TABLE trueup.schedule_slots (
    ledger      text NOT NULL,
    job         text NOT NULL,
    due_at      timestamptz NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    host        text NOT NULL,
    process     integer NOT NULL,
    run_id      uuid,
    finished_at timestamptz,
    outcome     text,                                      -- finished, skipped, failed
    detail      text,
    PRIMARY KEY (ledger, job, due_at)
);

-- What people have to hear of. Written with what it is about, delivered afterwards, and kept.
CREATE TABLE trueup.alerts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger       text NOT NULL,
    kind         text NOT NULL,                            -- drift, many_drifted, critical, rail, run_failed, run_missing, ...
    run_id       uuid,
    message      text NOT NULL,
    body         jsonb NOT NULL,
    raised_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error   text
);
CREATE INDEX alerts_waiting ON trueup.alerts (ledger, next_attempt_at) WHERE delivered_at IS NULL;
