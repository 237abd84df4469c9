import {
  readAnything,
  readFlag,
  readList,
  readOneOf,
  readText,
  readWhole,
  shape,
  type Reader,
} from '../core/arguments.js';
import type { ExplainRequest } from '../reconcile/explain.js';
import type { FindOpeningOptions, OpeningPlan } from '../reconcile/opening.js';
import type { PostOpeningOptions } from '../reconcile/opening-post.js';
import { readFunction, readSignal } from '../reconcile/options.js';
import { GUARDS, type InstallOptions } from '../sync/options.js';

/** What the methods of `Care` may be told, field by field. */

const BATCH = readWhole(1, 1_000_000);

export const EXPLAIN = shape<ExplainRequest>('explain', { userId: readText, walletId: readText });

export const FIND_OPENING = shape<FindOpeningOptions>('finding opening balances', {
  reason: readText,
  examples: readWhole(0, 1_000_000),
  batchSize: BATCH,
  signal: readSignal,
});

export const POST_OPENING = shape<PostOpeningOptions>('posting opening balances', {
  batchSize: BATCH,
  signal: readSignal,
  onPosted: readFunction,
  onProblem: readFunction,
  onProgress: readFunction,
});

/** The opening of one wallet is read where it is posted; here a plan is told from what is none. */
const list: Reader<readonly never[]> = (value, name, whose) =>
  readList(readAnything)(value, name, whose) as never[];

export const PLAN = shape<OpeningPlan>(
  'a plan of findOpeningBalances',
  {
    wallets: list,
    coins: readText,
    examples: list,
    changes: readAnything as Reader<OpeningPlan['changes']>,
    left: list,
    leftCount: readWhole(0, Number.MAX_SAFE_INTEGER),
    obstacles: list,
    reason: readText,
  },
  ['wallets', 'obstacles', 'reason'],
);

export const INSTALL = shape<InstallOptions>('installing the sync', {
  guard: readOneOf(...GUARDS),
  protect: readFlag,
  deferred: readFlag,
});

/** What filling in missed events may be told. */
export interface BackfillOptions {
  /** Stops after the batch under way. */
  readonly signal?: AbortSignal | undefined;
}

export const BACKFILL = shape<BackfillOptions>('filling in events', { signal: readSignal });
