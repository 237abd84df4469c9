--! part: operations
-- Since when somebody hears the alerts of a ledger: whoever comes first is not told old stories.

CREATE TABLE trueup.alert_hooks (
    ledger     text PRIMARY KEY,                           -- schema-qualified and quoted
    since      timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE trueup.alerts
    ADD dropped_at timestamptz;                            -- the first hook came too late for it

-- Where an alert was ever tried there was a hook: what waits there goes on waiting.
INSERT INTO trueup.alert_hooks (ledger, since)
SELECT ledger, min(raised_at) FROM trueup.alerts WHERE attempts > 0 GROUP BY ledger;
