import type { ReconcileOptions } from '../index.js';
import { findingJson, findingLine, problemJson, problemLine, warningLine } from './output.js';
import type { ProgressView } from './progress.js';
import { print, say } from './shared.js';

/** Prints what a run tells while it is under way: results to stdout, everything else to stderr. */
export function listeners(
  view: ProgressView,
  json: boolean,
): Required<Pick<ReconcileOptions, 'onFinding' | 'onProblem' | 'onWarning' | 'onProgress'>> {
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
  };
}
