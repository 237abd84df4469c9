/** One figure beside its baseline, both of the same run on the same server. */
export interface Figure {
  readonly group: string;
  readonly scenario: string;
  /** Of `value` and of the baseline's value. */
  readonly unit: string;
  readonly value: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly baseline: { readonly name: string; readonly value: number } | null;
  /** value / baseline; of rounds, the median of each round's own ratio. */
  readonly ratio: number | null;
  readonly bytesPerEntry: number | null;
  /** Of all entries of a posting together. */
  readonly bytesPerPosting: number | null;
  /** What it has to reach, in words. */
  readonly target: string | null;
}

/** A figure with what does not apply left out. */
export function figure(
  facts: Pick<Figure, 'group' | 'scenario' | 'unit' | 'value'> & Partial<Figure>,
): Figure {
  const { baseline = null } = facts;
  return {
    p50Ms: null,
    p99Ms: null,
    bytesPerEntry: null,
    bytesPerPosting: null,
    target: null,
    ...facts,
    baseline,
    ratio: facts.ratio ?? (baseline === null ? null : facts.value / baseline.value),
  };
}

/** For programs: one JSON line. Numbers keep four significant digits. */
export function figureJson(one: Figure): string {
  return JSON.stringify(one, (_, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value,
  );
}

/** For people. */
export function figureLines(one: Figure): string {
  const lines = [`${`${one.group} ${one.scenario}`.padEnd(22)} ${readable(one.value)} ${one.unit}`];
  if (one.p50Ms !== null && one.p99Ms !== null) {
    lines.push(`p50 ${readable(one.p50Ms)} ms, p99 ${readable(one.p99Ms)} ms`);
  }
  if (one.baseline !== null && one.ratio !== null) {
    lines.push(
      `${one.baseline.name}: ${readable(one.baseline.value)} ${one.unit}, ratio ${one.ratio.toFixed(2)}`,
    );
  }
  if (one.bytesPerPosting !== null) lines.push(`${readable(one.bytesPerPosting)} bytes a posting`);
  else if (one.bytesPerEntry !== null) lines.push(`${readable(one.bytesPerEntry)} bytes an entry`);
  if (one.target !== null) lines.push(`to reach: ${one.target}`);
  return lines.join(`\n${' '.repeat(23)}`);
}

function readable(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString('en-US')
    : Number(value.toPrecision(3)).toString();
}

/**
 * Medians of rounds in which both were measured one after the other. The ratio is the median of the
 * rounds' ratios: a machine that slows down between two rounds slows both sides of each.
 */
export function paired(
  values: readonly number[],
  name: string,
  baselines: readonly number[],
): Pick<Figure, 'value' | 'baseline' | 'ratio'> {
  return {
    value: median(values),
    baseline: { name, value: median(baselines) },
    ratio: median(values.map((value, round) => value / (baselines[round] ?? Number.NaN))),
  };
}

/** The middle one of some values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the given share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
