import type { ReconcileOptions } from '../index.js';
import {
  findingJson,
  findingLines,
  problemJson,
  problemLine,
  waitingLines,
  warningLine,
} from './output.js';
import type { ProgressView } from './progress.js';
import { print, say } from './shared.js';

type Listeners = Required<
  Pick<ReconcileOptions, 'onFinding' | 'onProblem' | 'onWarning' | 'onProgress' | 'onPause'>
>;

/** Prints what a run tells while it is under way: results to stdout, everything else to stderr. */
export function listeners(
  view: ProgressView,
  how: { readonly json: boolean; readonly quiet: boolean },
): Listeners {
  const { json, quiet } = how;
  const findingLine = findingLines();
  const waitingLine = waitingLines();
  return {
    onFinding: (finding) => {
      view.clear();
      print(json ? findingJson(finding) : findingLine(finding));
    },
    onProblem: (problem) => {
      view.clear();
      if (json) print(problemJson(problem));
      else say(problemLine(problem));
    },
    onWarning: (warning) => {
      view.clear();
      say(warningLine(warning));
    },
    onProgress: (progress) => {
      view.update(progress);
    },
    onPause: (pause) => {
      view.pause(pause.reason);
      const line = quiet ? undefined : waitingLine(pause);
      if (line === undefined) return;
      view.clear();
      say(line);
    },
  };
}
