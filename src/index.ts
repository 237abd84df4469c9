/**
 * Trueup: a ledger-first coin economy for PostgreSQL.
 *
 * @module
 */
export { openTrueup, migrateDatabase, Trueup } from './engine.js';
export type { TrueupEvents, TrueupOptions } from './engine.js';
export { MAX_AMOUNT } from './core/amount.js';
export type { Cause, Field, Finding, Part, Tally } from './core/drift.js';
export { ERROR_MEANINGS, TrueupError } from './core/errors.js';
export type { ErrorCode } from './core/errors.js';
export { EXIT } from './core/exit.js';
export type { ExitStatus } from './core/exit.js';
export type { PostOutcome, PostRequest, RefusalCode } from './core/post.js';
export type { OpenWalletRequest } from './ledger/wallets.js';
export { OWN_MAPPING } from './mapping/own.js';
export type { Mapping } from './mapping/schema.js';
export type { HealResult } from './reconcile/heal.js';
export { MAX_BATCH_SIZE } from './reconcile/options.js';
export type {
  ReconcileOptions,
  ReconcileProblem,
  ReconcileProgress,
  ReconcileSummary,
} from './reconcile/options.js';
export type { BalanceDrift, CachedCoins, SyncResult } from './reconcile/services.js';
export type { SyncStatus } from './sync/sync.js';
export { VERSION } from './version.js';
