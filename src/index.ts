/**
 * Trueup: a ledger-first coin economy for PostgreSQL.
 *
 * @module
 */
export { proposeMapping, type ProposeOptions } from './engine/adopt.js';
export { examineDatabase, migrateDatabase, openTrueup, restoreTriggers } from './engine/open.js';
export { Trueup } from './engine/trueup.js';
export type { TrueupEvents } from './engine/trueup.js';
export type { ListenerFailure } from './engine/events.js';
export type { HealOptions, TrueupOptions } from './engine/options.js';
export { Reads } from './engine/reads.js';
export { Settings } from './engine/settings.js';
export { Verbs } from './engine/verbs.js';
export { Within, type TransactionClient } from './engine/within.js';
export type { Cause, Evidence, Field, Finding, Part, Tally } from './core/drift.js';
export { CAUSES } from './core/evidence.js';
export { MAX_AMOUNT, type Amount } from './core/amount.js';
export { MAX_NOTE_LENGTH, MAX_TEXT_LENGTH } from './core/arguments.js';
export { ERROR_MEANINGS, TrueupError } from './core/errors.js';
export type { ErrorCode } from './core/errors.js';
export { CHECK_IDS, CHECKS, isCheckId, type CheckId } from './doctor/catalogue.js';
export type { DoctorFinding, DoctorOptions, DoctorReport, Level } from './doctor/model.js';
export { EXIT } from './core/exit.js';
export type { ExitStatus } from './core/exit.js';
export type { ReportRequest } from './engine/health.js';
export type { ApplyOptions, ApplySummary } from './operations/plan/apply-model.js';
export { FORMATS, formatOf, type ReportFormat, type ReportRun } from './operations/report/model.js';
export type {
  LastSuccess,
  OpenFindings,
  Review,
  RunCounts,
  RunState,
  RunUnderWay,
  Status,
  StatusOptions,
  StatusProblem,
  StatusRun,
  Verified,
  Waiting,
  WatermarkHolder,
} from './operations/status/model.js';
export { REFUSAL_CODES, REFUSAL_MEANINGS } from './core/posting/refusals.js';
export type { Refusal, RefusalCode } from './core/posting/refusals.js';
export type {
  CaptureRequest,
  HoldRequest,
  PostingDetails,
  PostItem,
  PostRequest,
  ReleaseRequest,
  ReverseRequest,
  TransferRequest,
  WalletReference,
} from './core/posting/request.js';
export { DEFAULT_REASONS, type ReasonRegistry, type ReasonRule } from './core/reasons.js';
export type {
  Held,
  Hold,
  HoldOutcome,
  ItemOutcome,
  Posted,
  PostedEntry,
  PostOutcome,
  Released,
  ReleaseOutcome,
} from './ledger/outcomes.js';
export type { StatementRequest } from './ledger/reads/account.js';
export type {
  ActivityEvent,
  ActivityPage,
  ActivityRequest,
  ActivityType,
} from './ledger/reads/activity.js';
export type { BalanceAtRequest, EntryBalance, WalletBalance } from './ledger/reads/balance.js';
export type { Circulation } from './ledger/reads/circulation.js';
export type { HistoryEntry, HistoryPage, HistoryRequest } from './ledger/reads/history.js';
export type { HoldsPage, HoldsRequest } from './ledger/reads/holds.js';
export type { SpendingLimit, SpendingLimitRequest, WalletLimits } from './ledger/settings.js';
export type { PosterOptions } from './ledger/poster.js';
export type { OpenWalletRequest } from './ledger/wallets.js';
export type {
  Proposal,
  Proposals,
  ProposedColumn,
  ProposedLack,
  ProposedPart,
} from './mapping/propose/proposal.js';
export type { RunnerUp } from './mapping/propose/runners-up.js';
export { OWN_MAPPING } from './mapping/own.js';
export type { Mapping } from './mapping/schema.js';
export type {
  BalanceStory,
  ExplainRequest,
  Remedy,
  StoryFailure,
  StoryRepair,
  StoryWrite,
  WalletStory,
} from './reconcile/explain.js';
export type { HealResult } from './reconcile/heal.js';
export { MAX_BATCH_SIZE, MAX_CYCLE, MAX_JOBS } from './reconcile/options.js';
export type {
  ReconcileOptions,
  ReconcileProblem,
  ReconcileProgress,
  ReconcileWarning,
} from './reconcile/options.js';
export type { PaceOptions, ReconcilePause } from './reconcile/pace-options.js';
export type { Verdict } from './reconcile/rails.js';
export type { ReconcileSummary } from './reconcile/summary.js';
export type { VerifiedFacts } from './reconcile/verified.js';
export type { WatermarkLag, WholeReason } from './reconcile/watermark.js';
export type { NoOpening, Opening, OpeningChange } from './core/opening.js';
export type { FindOpeningOptions, OpeningPlan, PlannedOpening } from './reconcile/opening.js';
export type {
  OpeningProblem,
  OpeningSummary,
  PostOpeningOptions,
} from './reconcile/opening-post.js';
export type { BalanceDrift, CachedCoins, SyncResult } from './reconcile/services.js';
export type { SyncChange } from './sync/install.js';
export { GUARDS, installCommand, type Guard, type InstallOptions } from './sync/options.js';
export type { ImmediateForeignKey, SyncStatus } from './sync/sync.js';
export type { TriggerState, TriggerStatus } from './sync/triggers.js';
export type { BackfilledActivity } from './sync/activity.js';
export type { CarryResult } from './sync/carry.js';
export type { SyncMode } from './sync/generate.js';
export type { ApproveRequest, ApproveSummary } from './operations/runs/approve.js';
export type { NotApproved } from './operations/runs/approve-wallets.js';
export type { Run, RunDetails, RunsRequest, Steering } from './operations/runs/runs.js';
export { MOST_OPEN, type OpenFinding, type OpenOfRun } from './operations/runs/open.js';
export type { UndoLeft, UndoRequest, UndoSummary } from './operations/runs/undo.js';
export { checkOperateOptions } from './engine/nightly-options.js';
export type {
  AlertsRequest,
  CheckedOperateOptions,
  NightlyOptions,
  OperateOptions,
} from './engine/nightly-options.js';
export type { AlertRecord, Alerts, OpenCondition, RunningOperation } from './engine/nightly.js';
export { ALERT_KINDS, type AlertKind } from './operations/alerts/conditions.js';
export type { DeliveryResult } from './operations/alerts/deliver.js';
export type { AlertHooks, AlertMessage } from './operations/alerts/hooks.js';
export type { RaisedAlert } from './operations/alerts/raise.js';
export { Schedule } from './operations/schedule/cron.js';
export { nightWords, printSchedule, SCHEDULERS } from './operations/schedule/print.js';
export type { PrintedRun, SchedulerName } from './operations/schedule/print.js';
export { EVENTS } from './operations/events.js';
export type { EventName, OnEvent, OperationsEvent } from './operations/events.js';
export { VERSION } from './version.js';
