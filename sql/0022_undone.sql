--! part: operations
-- What the records of runs had no place for: suspects that nothing can repair, and caches that an undo gave
-- back what a run had replaced.

ALTER TABLE trueup.suspects
    ADD COLUMN repairable boolean NOT NULL DEFAULT true;   -- there is something that can be written

-- undone: an undo gave the cache back what a run had replaced.
ALTER TABLE trueup.findings
    DROP CONSTRAINT findings_state_check,
    ADD CONSTRAINT findings_state_check
        CHECK (state IN ('reported', 'review', 'critical', 'skipped', 'failed', 'undone'));
