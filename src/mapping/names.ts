/** The name of the trigger that makes caches follow a ledger, on every ledger. */
export const SYNC_TRIGGER = 'trueup_sync';
