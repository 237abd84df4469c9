import { adopt } from './adopt.js';
import type { Bench } from './context.js';
import { explain } from './explain.js';
import { incremental } from './incremental.js';
import { deferred } from './deferred.js';
import * as post from './post.js';
import * as reconcile from './reconcile.js';
import { repair } from './repair.js';
import * as sync from './sync.js';
import { writers } from './writers.js';

type Scenario = (bench: Bench) => Promise<void>;

/**
 * The scenarios by group. What the triggers cost belongs to the promise that reconcile checks, so
 * the group `reconcile` ends with the group `sync`.
 */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Scenario>>>> = {
  reconcile: {
    scan: reconcile.scan,
    incremental,
    repair,
    writers,
    memory: reconcile.memory,
    explain,
    row: sync.row,
    bulk: sync.bulk,
    guard: sync.guard,
  },
  sync: { row: sync.row, bulk: sync.bulk, guard: sync.guard, deferred },
  adopt: { propose: adopt, explain },
  post: {
    spread: post.spread,
    hot: post.hot,
    callers32: post.callers32,
    single: post.single,
    history: post.history,
    big: post.big,
  },
};

/** The names that {@link runBench} takes. */
export const BENCH_GROUPS: readonly string[] = Object.keys(GROUPS);

/** The names of the scenarios of a group. */
export function scenariosOf(group: string): readonly string[] {
  return Object.keys(GROUPS[group] ?? {});
}

/** Runs a group of benchmarks, or one of its scenarios. */
export async function runBench(group: string, bench: Bench): Promise<void> {
  const scenarios = GROUPS[group] ?? {};
  const { scenario } = bench.options;
  for (const [name, run] of Object.entries(scenarios)) {
    if (scenario !== undefined && scenario !== name) continue;
    bench.say(`${group} ${name}`);
    await run(bench);
  }
}
