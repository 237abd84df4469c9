import { readFlag, readOneOf, readText, readWhole, shape } from '../core/arguments.js';
import type { RunsRequest, Steering } from '../operations/runs/runs.js';
import type { UndoRequest } from '../operations/runs/undo.js';
import { readFunction, readSignal } from '../reconcile/options.js';

/** What the methods of `Runs` may be told, field by field. */

export const RUNS = shape<RunsRequest>('listing runs', {
  limit: readWhole(1, 10_000),
  all: readFlag,
});

export const STEER = shape<{ readonly run: string; readonly action: Steering }>(
  'steering a run',
  { run: readText, action: readOneOf('pause', 'resume', 'stop') },
  ['run', 'action'],
);

export const UNDO = shape<UndoRequest>(
  'undoing a run',
  { run: readText, dryRun: readFlag, signal: readSignal, onLeft: readFunction },
  ['run'],
);
