import type { Queryable } from '../postgres/database.js';
import { isWorthTrying } from './mender.js';
import { patiently } from './patience.js';
import { judge, type Rails, type Verdict } from './rails.js';
import type { Source, SourceOptions } from './sources.js';
import * as statements from './survey-statements.js';
import type { Suspect } from './walk.js';

/** What a survey keeps of the suspects of one batch. */
export function recordsOf(suspects: readonly Suspect[]): statements.SuspectRecord[] {
  return suspects.flatMap((suspect) => {
    const { walletId, delta = '0' } = suspect;
    return walletId === null ? [] : [{ walletId, delta, repairable: isForRepair(suspect) }];
  });
}

/** Whether a run without rails would repair it. */
export function isForRepair({ walletId, details, negative }: Suspect): boolean {
  return walletId !== null && negative !== 'only' && isWorthTrying(details);
}

/** The suspects that a run has kept, in their order. */
export async function* keptSuspects(
  session: Queryable,
  runId: string,
  { pace, signal, onLost }: SourceOptions,
  from: string,
): Source {
  for (let position = from; ;) {
    const turn = await pace.beforeNext(signal);
    if (turn !== 'go') return turn;
    const statement = statements.nextSuspects(runId, position, pace.size());
    const rows = await patiently(
      () => session.query<{ position: string; walletId: string }>(statement),
      { signal, onLost },
    );
    const last = rows.at(-1);
    if (last === undefined) return 'complete';
    position = last.position;
    const walletIds = rows.map(({ walletId }) => walletId);
    yield { kind: 'ids', walletIds, wallets: 0, mark: { position } };
  }
}

/** A survey that breaks a rail. */
export interface Stop extends Verdict {
  /** Wallets that have drifted. */
  readonly drifted: number;
}

/** Holds what a run has seen against its rails, before its first write. */
export async function judgeSurvey(
  session: Queryable,
  runId: string,
  rails: Rails,
  wallets: number,
): Promise<Stop | null> {
  const [row] = await session.query<statements.SurveyRow>(statements.surveyed(runId));
  const verdict = judge(rails, {
    suspects: Number(row?.repairable ?? 0),
    wallets,
    largestDelta: BigInt(row?.largestDelta ?? 0),
  });
  return verdict === null ? null : { ...verdict, drifted: Number(row?.suspects ?? 0) };
}
