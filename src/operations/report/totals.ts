import { fromUnits, toUnits } from '../../core/sums.js';
import type { FindingState, ReportFinding } from './model.js';

/** Adds up the findings of a report in a fixed amount of memory, however many there are. Pure. */

/** How many findings a page shows of each list. */
export const SHOWN = 100;

/** Coins of some findings, as decimal text. */
export interface Coins {
  /** All differences taken as positive. */
  readonly gross: string;
  /** What was lacking less what was too much. */
  readonly net: string;
}

/** Findings of one kind. */
export interface Group extends Coins {
  readonly name: string;
  readonly findings: number;
}

/** Findings whose difference is from `from` to less than ten times that; `from` 0: less than a coin. */
export interface SizeClass {
  readonly from: bigint;
  readonly findings: number;
}

/** Some findings, of how many. */
export interface Excerpt {
  readonly shown: readonly ReportFinding[];
  readonly count: number;
}

/** What a page tells of all findings. */
export interface Totals {
  readonly findings: number;
  readonly states: ReadonlyMap<FindingState, number>;
  /** By part and field: `profile balance`. */
  readonly parts: readonly Group[];
  readonly causes: readonly Group[];
  /** What was repaired, or would be, by part and field. */
  readonly corrected: readonly Group[];
  readonly sizes: readonly SizeClass[];
  /** Findings whose difference is no number: no value, or no row. */
  readonly unsized: number;
  readonly largest: Excerpt;
  readonly review: Excerpt;
  readonly left: Excerpt;
  /** Wallets that a run could not repair: locked by others, or refused by the database. */
  readonly skipped: Excerpt;
  /** Wallets whose entries sum up to less than they may. */
  readonly critical: Excerpt;
  /** Wallets that the survey of a stopped run saw drifted; of their caches nothing is on record. */
  readonly suspects: Excerpt;
}

class Sum {
  findings = 0;
  gross = 0n;
  net = 0n;

  add(units: bigint | undefined): void {
    this.findings += 1;
    if (units === undefined) return;
    this.gross += units < 0n ? -units : units;
    this.net += units;
  }
}

/** The findings of one kind, the largest first where they have a size; otherwise the first that came. */
class Gathering {
  count = 0;
  readonly shown: { readonly size: bigint; readonly finding: ReportFinding }[] = [];
  readonly #bySize: boolean;

  constructor(bySize: boolean) {
    this.#bySize = bySize;
  }

  add(finding: ReportFinding, units: bigint | undefined): void {
    this.count += 1;
    const size = units === undefined || !this.#bySize ? -1n : absolute(units);
    const last = this.shown.at(-1);
    if (this.shown.length === SHOWN && last !== undefined && size <= last.size) return;
    // A few equal ones keep the order in which they came.
    const place = this.shown.findIndex((one) => one.size < size);
    this.shown.splice(place < 0 ? this.shown.length : place, 0, { size, finding });
    if (this.shown.length > SHOWN) this.shown.pop();
  }

  get excerpt(): Excerpt {
    return { shown: this.shown.map(({ finding }) => finding), count: this.count };
  }
}

export class TotalsCounter {
  #findings = 0;
  #unsized = 0;
  readonly #states = new Map<FindingState, number>();
  readonly #parts = new Map<string, Sum>();
  readonly #causes = new Map<string, Sum>();
  readonly #corrected = new Map<string, Sum>();
  /** By the number of digits before the point; 0: less than a coin. */
  readonly #sizes: number[] = [];
  readonly #largest = new Gathering(true);
  readonly #review = new Gathering(true);
  readonly #left = new Gathering(true);
  readonly #skipped = new Gathering(false);
  readonly #critical = new Gathering(false);
  readonly #suspects = new Gathering(true);

  add(finding: ReportFinding): void {
    const { state, part, field, cause } = finding;
    this.#states.set(state, (this.#states.get(state) ?? 0) + 1);
    const units = finding.delta === null ? undefined : toUnits(finding.delta);
    if (part === null || field === null) {
      this.#wallets(state).add(finding, units);
      return;
    }
    this.#findings += 1;
    sumOf(this.#parts, `${part}.${field}`).add(units);
    sumOf(this.#causes, cause ?? 'unknown').add(units);
    if (state === 'repaired' || state === 'found')
      sumOf(this.#corrected, `${part}.${field}`).add(units);
    if (units === undefined) this.#unsized += 1;
    else this.#countSize(absolute(units));
    this.#largest.add(finding, units);
    if (state === 'review') this.#review.add(finding, units);
    if (state === 'reported') this.#left.add(finding, units);
  }

  /** Lists of wallets, of whose caches nothing is known. */
  #wallets(state: FindingState): Gathering {
    if (state === 'critical') return this.#critical;
    return state === 'found' || state === 'reported' ? this.#suspects : this.#skipped;
  }

  #countSize(units: bigint): void {
    const whole = units / UNIT;
    const digits = whole === 0n ? 0 : whole.toString().length;
    while (this.#sizes.length <= digits) this.#sizes.push(0);
    this.#sizes[digits] = (this.#sizes[digits] ?? 0) + 1;
  }

  get totals(): Totals {
    return {
      findings: this.#findings,
      states: this.#states,
      parts: groups(this.#parts),
      causes: groups(this.#causes),
      corrected: groups(this.#corrected),
      sizes: this.#sizes
        .map((findings, digits) => ({
          from: digits === 0 ? 0n : 10n ** BigInt(digits - 1),
          findings,
        }))
        .filter(({ from, findings }) => from > 0n || findings > 0),
      unsized: this.#unsized,
      largest: this.#largest.excerpt,
      review: this.#review.excerpt,
      left: this.#left.excerpt,
      skipped: this.#skipped.excerpt,
      critical: this.#critical.excerpt,
      suspects: this.#suspects.excerpt,
    };
  }
}

const UNIT = 1_000_000n;

function absolute(units: bigint): bigint {
  return units < 0n ? -units : units;
}

function sumOf(sums: Map<string, Sum>, name: string): Sum {
  const known = sums.get(name) ?? new Sum();
  sums.set(name, known);
  return known;
}

/** The most frequent first. */
function groups(sums: ReadonlyMap<string, Sum>): Group[] {
  return [...sums]
    .map(([name, { findings, gross, net }]) => ({
      name,
      findings,
      gross: fromUnits(gross),
      net: fromUnits(net),
    }))
    .sort((one, other) => other.findings - one.findings || (one.name < other.name ? -1 : 1));
}
