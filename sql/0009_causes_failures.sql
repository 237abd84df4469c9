--! part: operations
-- Whoever asks why the cache of one wallet was wrong asks for its failures, healed ones too.
CREATE INDEX sync_failures_wallet ON trueup.sync_failures (ledger, wallet_id, id);
