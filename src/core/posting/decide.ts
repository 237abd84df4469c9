import { decideCapture, decideHold, decideRelease } from './holds.js';
import { decideMovement, decideTransfer } from './movements.js';
import { decideReversal } from './reversals.js';
import { Draft } from './draft.js';
import { earlierOutcome } from './idempotency.js';
import type { Outcome, Plan } from './plan.js';
import { refusal } from './refusals.js';
import type { PreparedItem } from './request.js';
import type { LedgerState } from './state.js';

/**
 * Decides a batch: one outcome for each item, and everything that has to be written. Without waiting,
 * without a clock, without looking at anything but its arguments. Items are decided in their order,
 * each on what the ones before it left; items with the same link, which stand side by side, are
 * posted together or not at all.
 */
export function decide(state: LedgerState, items: readonly PreparedItem[]): Plan {
  const draft = new Draft(state);
  for (let first = 0; first < items.length;) {
    const link = items[first]?.item.link;
    let end = first + 1;
    while (link !== undefined && items[end]?.item.link === link) end += 1;
    if (end - first === 1) decideOne(draft, items[first], first);
    else decideLinked(draft, items, first, end);
    first = end;
  }
  return draft.plan();
}

function decideLinked(
  draft: Draft,
  items: readonly PreparedItem[],
  first: number,
  end: number,
): void {
  draft.begin();
  for (let index = first; index < end; index += 1) decideOne(draft, items[index], index);
  const outcomes = draft.outcomes.slice(first, end);
  if (outcomes.every(({ status }) => status !== 'refused')) {
    draft.keep();
    return;
  }
  draft.rewind();
  outcomes.forEach((outcome, index) => {
    if (!standsWithoutLink(draft, outcome, first)) draft.outcomes[first + index] = UNPOSTED;
  });
}

const UNPOSTED = refusal('linked_item_refused', 'an item that is linked with this one was refused');

/** What was refused stays refused, and what was posted before the link stays posted. */
function standsWithoutLink(draft: Draft, outcome: Outcome, first: number): boolean {
  switch (outcome.status) {
    case 'refused':
    case 'posted before':
      return true;
    case 'held':
      return outcome.replayed;
    case 'released':
      return outcome.replayed && draft.hold(outcome.hold.holdId)?.state === 'released';
    case 'same as':
      return outcome.item < first;
    case 'posted':
      return false;
  }
}

function decideOne(draft: Draft, prepared: PreparedItem | undefined, index: number): void {
  if (prepared === undefined) return;
  const outcome = earlierOutcome(draft, prepared) ?? decideNew(draft, prepared);
  const key = prepared.item.idempotencyKey;
  if (key !== undefined && outcome.status !== 'refused') draft.useKey(key, index);
  draft.outcomes.push(outcome);
}

function decideNew(draft: Draft, prepared: PreparedItem): Outcome {
  const { item } = prepared;
  switch (item.type) {
    case 'credit':
    case 'debit':
      return decideMovement(draft, item, prepared);
    case 'transfer':
      return decideTransfer(draft, item, prepared);
    case 'reverse':
      return decideReversal(draft, item, prepared);
    case 'hold':
      return decideHold(draft, item, prepared);
    case 'capture':
      return decideCapture(draft, item, prepared);
    case 'release':
      return decideRelease(draft, item);
  }
}
