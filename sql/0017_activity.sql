--! part: ledger
-- The activity of Trueup's own economy: every entry of a user's wallet is one event, and no event is
-- anything else. Ask for one user: his wallets' entries are found by index.
CREATE VIEW trueup.activity AS
SELECT e.id                                   AS entry_id,
       p.user_id,
       CASE WHEN e.amount > 0 THEN 'coins_earned' ELSE 'coins_spent' END AS event_type,
       abs(e.amount)                          AS amount,       -- the type says the direction
       e.reason,
       e.note,
       'entries'::text                        AS source_model,
       e.id                                   AS source_id,
       e.wallet_id,
       w.currency,
       e.seq,                                                  -- the order within the wallet
       e.balance_after,
       e.metadata,
       e.created_at
  FROM trueup.profiles p
  JOIN trueup.wallets w ON w.profile_id = p.id
  JOIN trueup.entries e ON e.wallet_id = w.id;
