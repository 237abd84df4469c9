--! part: ledger
-- Finds the entries that were written since a transaction id. No index knows how to keep an xid8 by ranges,
-- so it is kept as a number. A few kilobytes for a million entries, and next to nothing for an insert: one
-- line for every megabyte of the table says which writers are there. A megabyte that has no line yet is
-- read through, so the index may lag and never misses an entry.
CREATE INDEX entries_writer ON trueup.entries USING brin ((writer::text::bigint)) WITH (autosummarize = on);
