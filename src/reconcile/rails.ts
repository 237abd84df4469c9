/** Safety rails: what a run may do without asking anybody. Pure: counts in, verdict out. */

/** How much a run may repair. What is left out is without bound. */
export interface Rails {
  /** Wallets. */
  readonly maxRepairs?: number | undefined;
  /** Wallets, as a part (0 to 1) of those that were looked at. */
  readonly maxRepairRatio?: number | undefined;
  /** So many wallets may be repaired whatever part they are. */
  readonly ratioFloor: number;
  /** Coins by which a single cache may be changed. */
  readonly maxDelta?: bigint | undefined;
}

/** What the survey of a run saw. */
export interface Survey {
  /** Wallets that would be repaired. */
  readonly suspects: number;
  /** Wallets that were looked at. */
  readonly wallets: number;
  /** The largest difference of a cache, in whole coins, rounded up. */
  readonly largestDelta: bigint;
}

/** Why a run was stopped before its first write. */
export interface Verdict {
  /** The first of the rails that it would break. */
  readonly rail: 'max_repairs' | 'max_repair_ratio' | 'max_delta';
  readonly message: string;
  /** The options of the command line with which it goes on: for every rail that it would break. */
  readonly override: string;
}

/** Of unattended runs: 5% of the wallets, and 100 in any case. */
const UNATTENDED = { maxRepairRatio: 0.05, ratioFloor: 100 } as const;

/** The rails that were asked for; null where a run may repair whatever it finds. */
export function railsOf(options: {
  readonly maxRepairs?: number | undefined;
  readonly maxRepairRatio?: number | undefined;
  readonly maxDelta?: bigint | undefined;
  readonly unattended?: boolean | undefined;
}): Rails | null {
  const { maxRepairs, maxRepairRatio, maxDelta } = options;
  const asked = { maxRepairs, maxDelta };
  if (options.unattended === true && maxRepairRatio === undefined) {
    return { ...asked, ...UNATTENDED };
  }
  if (maxRepairs === undefined && maxRepairRatio === undefined && maxDelta === undefined) {
    return null;
  }
  return { ...asked, maxRepairRatio, ratioFloor: 0 };
}

/** @returns null where the run may go on */
export function judge(rails: Rails, survey: Survey): Verdict | null {
  const broken = [repairs(rails, survey), ratio(rails, survey), delta(rails, survey)].filter(
    (verdict) => verdict !== null,
  );
  const [first] = broken;
  if (first === undefined) return null;
  return { ...first, override: broken.map(({ override }) => override).join(' ') };
}

function repairs({ maxRepairs }: Rails, { suspects }: Survey): Verdict | null {
  if (maxRepairs === undefined || suspects <= maxRepairs) return null;
  return {
    rail: 'max_repairs',
    message: `${wallets(suspects)} would be repaired, and at most ${String(maxRepairs)} may be`,
    override: `--max-repairs ${String(suspects)}`,
  };
}

function ratio({ maxRepairRatio, ratioFloor }: Rails, survey: Survey): Verdict | null {
  const { suspects, wallets: looked } = survey;
  if (maxRepairRatio === undefined || suspects <= ratioFloor) return null;
  if (suspects <= maxRepairRatio * looked) return null;
  const floor = ratioFloor === 0 ? '' : ` (or ${String(ratioFloor)})`;
  return {
    rail: 'max_repair_ratio',
    message:
      `${wallets(suspects)} of ${String(looked)} would be repaired, ` +
      `and at most ${percent(maxRepairRatio)}${floor} may be`,
    override: `--max-repair-ratio ${percent(Math.ceil((suspects / looked) * 10_000) / 10_000)}`,
  };
}

function delta({ maxDelta }: Rails, { largestDelta }: Survey): Verdict | null {
  if (maxDelta === undefined || largestDelta <= maxDelta) return null;
  return {
    rail: 'max_delta',
    message: `a cache would be changed by ${String(largestDelta)} coins, and at most ${String(maxDelta)} are allowed`,
    override: `--max-delta ${String(largestDelta)}`,
  };
}

function wallets(count: number): string {
  return count === 1 ? '1 wallet' : `${String(count)} wallets`;
}

function percent(part: number): string {
  return `${String(Math.round(part * 1_000_000) / 10_000)}%`;
}
