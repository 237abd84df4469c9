/**
 * For tests only: makes a run end, or fail, at a given stage of a given batch. TRUEUP_FAILPOINT holds
 * `stage:batch=action`, several with commas between them. Batches count from 0 in each process; `*` is
 * every one. Actions: `exit` (the process ends, status 99), `kill9` (as `kill -9` ends it), `throw`.
 */

/** The stages of a batch, in their order. Those from `after_lock` to `after_commit` come with a repair. */
export const FAILPOINTS = [
  'after_detect',
  'after_lock',
  'after_update',
  'before_commit',
  'after_commit',
  'before_checkpoint',
  'after_checkpoint',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

const EXIT_STATUS = 99;

/** Ends or fails here where the environment says so. */
export function reach(stage: Failpoint, batch: number): void {
  const wanted = process.env['TRUEUP_FAILPOINT'];
  if (wanted === undefined || wanted === '') return;
  for (const one of wanted.split(',')) {
    const [place = '', action] = one.split('=');
    const [name, which] = place.split(':');
    if (name !== stage || (which !== '*' && which !== String(batch))) continue;
    act(action, place);
  }
}

function act(action: string | undefined, place: string): void {
  if (action === 'kill9') process.kill(process.pid, 'SIGKILL');
  if (action === 'exit') process.exit(EXIT_STATUS);
  throw new Error(`failpoint ${place}`);
}
