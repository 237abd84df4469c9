import { EXIT, type ExitStatus } from '../core/exit.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { CHECKS, type CheckId } from './catalogue.js';
import type { ExpectedTrigger } from './expected.js';

/**
 * How a check came out. `info`: nothing is wrong, and it is worth knowing. `warning`: something may go
 * wrong, or be slow. `error`: caches drift, or entries fail. `unknown`: the check could not be made.
 */
export type Level = 'ok' | 'info' | 'warning' | 'error' | 'unknown';

/** What a check saw, and the command that mends it: SQL, or a command of trueup. */
export interface Verdict {
  readonly level: Level;
  readonly what: string;
  /** SQL for `psql`, several statements with `; ` between them, or a command of trueup. */
  readonly remedy: string | null;
  /** Why it matters, where that is not what the catalogue says of the check. */
  readonly why?: string;
}

/** One line of doctor. */
export interface DoctorFinding extends Verdict {
  readonly id: CheckId;
  /** Why the check matters. */
  readonly why: string;
}

/** What doctor found. */
export interface DoctorReport {
  /** Schema-qualified and quoted; null where the mapping does not fit the database. */
  readonly ledger: string | null;
  /** In the order of the catalogue; a check that finds several things has several lines. */
  readonly findings: readonly DoctorFinding[];
  readonly exitStatus: ExitStatus;
}

/** How doctor looks. */
export interface DoctorOptions {
  /** A transaction that is open for longer, in seconds, is told. Default: 300. */
  readonly transactionSeconds?: number | undefined;
  /** Checks that are left out. */
  readonly skip?: readonly CheckId[] | undefined;
}

/** What a check may use. Its session cannot write. */
export interface Context {
  readonly session: Queryable;
  readonly mapping: ResolvedMapping;
  /** Trueup's own tables, not those of an application. */
  readonly own: boolean;
  readonly expected: readonly ExpectedTrigger[];
  readonly transactionSeconds: number;
}

/** One check: what it sees, as one verdict or several. */
export type Examine = (context: Context) => Promise<readonly Verdict[]>;

export function ok(what: string): Verdict {
  return { level: 'ok', what, remedy: null };
}

export function info(what: string, remedy: string | null = null): Verdict {
  return { level: 'info', what, remedy };
}

export function warning(what: string, remedy: string | null): Verdict {
  return { level: 'warning', what, remedy };
}

export function error(what: string, remedy: string | null): Verdict {
  return { level: 'error', what, remedy };
}

/** The same, with a reason of its own why it matters; undefined: that of the check. */
export function because(why: string | undefined, verdict: Verdict): Verdict {
  return why === undefined ? verdict : { ...verdict, why };
}

export function unknown(what: string, remedy: string | null): Verdict {
  return { level: 'unknown', what, remedy };
}

/** The problems, or, where there is none, one line that says that all is well. */
export function orOk(problems: readonly Verdict[], what: string): readonly Verdict[] {
  return problems.length === 0 ? [ok(what)] : problems;
}

export function asFindings(id: CheckId, verdicts: readonly Verdict[]): DoctorFinding[] {
  return verdicts.map((verdict) => ({ id, why: CHECKS[id], ...verdict }));
}

/**
 * The exit status of doctor, in line with reconcile: the mapping does not fit (nothing could be
 * checked), something is amiss, a check could not be made, all is well. `info` is well.
 */
export function exitStatusOf(findings: readonly DoctorFinding[]): ExitStatus {
  const has = (test: (finding: DoctorFinding) => boolean): boolean => findings.some(test);
  if (has(({ id, level }) => id === 'mapping' && level === 'error')) return EXIT.error;
  if (has(({ level }) => level === 'error' || level === 'warning')) return EXIT.drift;
  return has(({ level }) => level === 'unknown') ? EXIT.incomplete : EXIT.ok;
}
