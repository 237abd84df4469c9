import {
  countUser,
  emptyTally,
  findingsOf,
  type Comparison,
  type Finding,
  type Tally,
} from '../core/drift.js';
import type { Progress } from './checkpoint.js';
import type { ReconcileOptions } from './options.js';
import type { FindingRow } from './record-statements.js';
import { criticalMessage, type CriticalWallet } from './tiers.js';

/** A wallet that is left as it is. */
interface Left {
  readonly walletId: string;
  /** As it is; undefined where it is in sync by now. */
  readonly details: Comparison | undefined;
  readonly code: string;
  readonly message: string;
}

/** Tells whoever listens what a run finds, counts it, and keeps what is to be recorded with the batch. */
export class Reporter {
  readonly tally: Tally;
  readonly #told: Pick<ReconcileOptions, 'onFinding' | 'onProblem' | 'onProgress'>;
  readonly #resumedFrom: number;
  #rows: FindingRow[] = [];

  /** @param counted what the run had counted before it was resumed */
  constructor(
    told: Pick<ReconcileOptions, 'onFinding' | 'onProblem' | 'onProgress'>,
    counted: Partial<Tally> = {},
  ) {
    this.#told = told;
    this.#resumedFrom = counted.checked ?? 0;
    this.tally = { ...emptyTally(), ...counted };
  }

  /** The findings of one user, repaired or not. */
  found(findings: readonly Finding[]): void {
    countUser(this.tally, findings);
    for (const finding of findings) {
      if (!finding.repaired) this.#rows.push(rowOf(finding));
      this.#told.onFinding?.(finding);
    }
  }

  /** What a run leaves as it is. */
  left(details: Comparison | undefined): void {
    if (details !== undefined) this.found(findingsOf(details, { repaired: false }));
  }

  /** A wallet that has less than it may have. */
  critical(wallet: CriticalWallet): void {
    const { walletId, profileId, userId } = wallet;
    const message = criticalMessage(wallet);
    this.tally.critical += 1;
    this.#rows.push({ ...NOTHING, state: 'critical', walletId, profileId, userId, message });
    this.#told.onProblem?.({ type: 'critical', walletId, userId, code: 'below_zero', message });
  }

  /** A wallet that others held locked. */
  skipped(left: Left): void {
    this.tally.skipped += 1;
    this.#problem('skip', left);
  }

  /** A wallet whose repair the database refused. */
  failed(left: Left): void {
    this.left(left.details);
    this.tally.errors += 1;
    this.#problem('error', left);
  }

  /** How far the run is. */
  progress(total: number): Progress {
    const { checked, drifted, repaired, skipped, errors } = this.tally;
    return { checked, total: Math.max(total, checked), drifted, repaired, skipped, errors };
  }

  /** Tells how far the run is. */
  tellProgress(total: number): void {
    const { checked, drifted, repaired, ...rest } = this.progress(total);
    const resumed = this.#resumedFrom === 0 ? {} : { resumedFrom: this.#resumedFrom };
    this.#told.onProgress?.({ checked, total: rest.total, drifted, repaired, ...resumed });
  }

  /** What is to be recorded, once. */
  take(): readonly FindingRow[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  #problem(type: 'skip' | 'error', { walletId, details, code, message }: Left): void {
    const userId = details?.userId ?? null;
    this.#rows.push({
      ...NOTHING,
      state: type === 'skip' ? 'skipped' : 'failed',
      walletId,
      userId,
      profileId: details?.profileId ?? null,
      message,
    });
    this.#told.onProblem?.({ type, walletId, userId, code, message });
  }
}

const NOTHING = {
  part: null,
  field: null,
  cached: null,
  expected: null,
  delta: null,
  cause: null,
  evidence: null,
} as const;

function rowOf(finding: Finding): FindingRow {
  const { walletId, profileId, userId, part, field, cached, expected, delta, cause, evidence } =
    finding;
  const said = { part, field, cached, expected, delta, cause, evidence };
  const { state = 'reported' } = finding;
  return { state, walletId, profileId, userId, ...said, message: null };
}
