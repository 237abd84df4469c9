--! part: operations
-- The triggers of a ledger as PostgreSQL printed them when they were installed: whoever looks later
-- sees whether somebody changed one. {"sync": "CREATE TRIGGER ...", "guard wallet": ...}

ALTER TABLE trueup.sync_installations ADD triggers jsonb NOT NULL DEFAULT '{}';
