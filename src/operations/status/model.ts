import type { Cause } from '../../core/evidence.js';
import type { ExitStatus } from '../../core/exit.js';
import type { Field, Part } from '../../core/comparison.js';
import type { RecordedState } from '../../reconcile/record-statements.js';

/** What status tells: everything is read from records, nothing is compared. Ages are in seconds. */

/** What `status` may be told. */
export interface StatusOptions {
  /** How old the last complete check may be, in seconds. Default: 26 hours. */
  readonly maxAge?: number | undefined;
  /** Within how many seconds every wallet is to be verified. Default: 7 days. */
  readonly cycle?: number | undefined;
}

/** The health of one ledger, as the records have it. */
export interface Status {
  readonly ledger: string;
  /** By the clock of the database; so are all ages. */
  readonly at: Date;
  /** 0 fine, 1 the last run failed, 2 drift is open, 3 incomplete or missing, 4 stopped by a rail. */
  readonly exitStatus: ExitStatus;
  /** What is amiss, the gravest first; empty where all is well. */
  readonly problems: readonly StatusProblem[];
  /** The run over the whole ledger that ended last. */
  readonly lastRun: StatusRun | null;
  /** The last one that looked at everything, whatever it found. */
  readonly lastSuccess: LastSuccess | null;
  readonly maxAge: number;
  /** null: no run has recorded which wallets it verified. */
  readonly verified: Verified | null;
  /** What is known to be wrong and not settled. */
  readonly open: readonly OpenFindings[];
  readonly review: Review;
  readonly waiting: Waiting;
  /** null: no transaction holds the watermark back. */
  readonly watermark: WatermarkHolder | null;
  readonly underWay: RunUnderWay | null;
}

/** One thing that is amiss, and the status that it alone would give. */
export interface StatusProblem {
  readonly exitStatus: ExitStatus;
  readonly what: string;
  /** The command that mends it, or that tells more. */
  readonly remedy: string | null;
}

/** How a run ended, or why nobody knows. */
export type RunState = 'running' | 'finished' | 'interrupted' | 'stopped' | 'failed' | 'abandoned';

/** A run over the whole ledger that has ended. */
export interface StatusRun {
  readonly runId: string;
  readonly state: RunState;
  readonly scope: 'all' | 'incremental';
  readonly startedAt: Date;
  /** Where it was abandoned: when it was last heard of. */
  readonly endedAt: Date;
  readonly age: number;
  readonly startedBy: string;
  readonly host: string | null;
  readonly exitStatus: number | null;
  readonly error: string | null;
  /** Of one that a safety rail has stopped: the command that repairs all the same. */
  readonly override: string | null;
  /** What it counted; null where it ended without a word. */
  readonly counts: RunCounts | null;
}

/** What a run counted: wallets, but for findings. */
export interface RunCounts {
  readonly checked: number;
  readonly drifted: number;
  readonly findings: number;
  readonly repaired: number;
  readonly skipped: number;
  readonly errors: number;
  readonly incomplete: string | null;
}

export interface LastSuccess {
  readonly runId: string;
  readonly at: Date;
  readonly age: number;
}

/** How much of the ledger's wallets was verified within the cycle. Coins are decimal text. */
export interface Verified {
  readonly cycle: number;
  readonly wallets: number;
  readonly ofWallets: number;
  /** 0 to 1. */
  readonly ratio: number;
  readonly coins: string;
  readonly ofCoins: string;
  /** 0 to 1, by what the wallets hold; null where they hold nothing. */
  readonly valueRatio: number | null;
  /** When the wallets that wait longest were verified; null: never. */
  readonly oldestAt: Date | null;
  readonly oldestAge: number | null;
}

/** Findings of one kind that nobody has settled. */
export interface OpenFindings {
  readonly state: RecordedState;
  readonly part: Part | null;
  readonly field: Field | null;
  readonly cause: Cause | null;
  readonly findings: number;
  /** The sum of their differences, all taken as positive: decimal text. */
  readonly coins: string;
}

/** Findings that wait for a person. */
export interface Review {
  readonly findings: number;
  readonly coins: string;
  /** The runs that left them, the newest first. */
  readonly runs: readonly string[];
}

/** Work that waits for the healer, the carrier, or an alert's receiver. */
export interface Waiting {
  readonly syncFailures: number;
  readonly oldestSyncFailureAge: number | null;
  readonly marks: number;
  readonly oldestMarkAge: number | null;
  readonly activityFailures: number;
  readonly alerts: number;
}

/** The transaction before which nothing newer counts as settled. */
export interface WatermarkHolder {
  /** null: it is a prepared transaction. */
  readonly pid: number | null;
  /** The name of a prepared transaction. */
  readonly prepared: string | null;
  readonly database: string | null;
  readonly application: string | null;
  /** For how long it has been open; null where this role may not see it. */
  readonly age: number | null;
}

/** A run over the whole ledger that is at work, or waits. */
export interface RunUnderWay {
  readonly runId: string;
  readonly scope: 'all' | 'incremental';
  readonly startedAt: Date;
  readonly age: number;
  readonly startedBy: string;
  readonly host: string | null;
  readonly process: number | null;
  readonly resumed: number;
  readonly checked: number | null;
  readonly total: number | null;
  /** What it was told: to go on, to pause, to stop. */
  readonly control: 'run' | 'pause' | 'stop';
  /** Why it is not at work just now; null where it is. */
  readonly waiting: string | null;
}
