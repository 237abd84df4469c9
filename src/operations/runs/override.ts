/**
 * The command that repairs all the same what a safety rail has stopped, as the run itself has printed it.
 *
 * @param counts what is on record of the run: its summary
 * @returns null where no rail has stopped it, or an older Trueup did not record the command
 */
export function overrideOf(counts: Readonly<Record<string, unknown>> | null): string | null {
  const rail = counts?.['rail'];
  if (typeof rail !== 'object' || rail === null || !('override' in rail)) return null;
  return typeof rail.override === 'string' ? rail.override : null;
}
