import type {
  Opening,
  OpeningChange,
  OpeningPlan,
  OpeningProblem,
  OpeningSummary,
} from '../index.js';
import { count as countWords } from '../operations/words.js';

/** How opening balances read. Text out, nothing is printed here. */

const NAMES: Readonly<Record<string, string>> = {
  balance: 'balance',
  lifetimeEarnings: 'lifetime earnings',
};

/** What a plan would do: how many wallets, how many coins, the first of them, and what changes. */
export function planLines(plan: OpeningPlan): string {
  const count = plan.wallets.length;
  const more = count - plan.examples.length;
  return [
    count === 0
      ? 'no wallet that could be given an opening entry'
      : count === 1
        ? `1 wallet holds ${plan.coins} coins and has no history`
        : `${String(count)} wallets hold ${plan.coins} coins and have no history`,
    ...plan.examples.map((opening) => `  ${openingLine(opening)}`),
    ...(more > 0 ? [`  ... and ${String(more)} more`] : []),
    ...Object.entries(plan.changes).map(([name, changed]) => changeCount(name, changed)),
    ...leftLines(plan),
  ].join('\n');
}

/** `wallet 7  entry 500  balance stays 500  wallet lifetime earnings 800 -> 500` */
export function openingLine({ userId, walletId, amount, balance, changes }: Opening): string {
  const whose = userId === null ? `wallet ${walletId}` : `user ${userId}  wallet ${walletId}`;
  const what = [`entry ${amount}`, `balance stays ${balance}`, ...changes.map(changeText)];
  return `${whose}  ${what.join('  ')}`;
}

function changeText({ part, field, before, after }: OpeningChange): string {
  return `${part} ${NAMES[field] ?? field} ${before ?? 'null'} -> ${after}`;
}

function changeCount(name: string, changed: number): string {
  const [part = '', field = ''] = name.split('.');
  return `${part} ${NAMES[field] ?? field} becomes what the ledger then says in ${countWords(changed, 'wallet')}`;
}

function leftLines({ left, leftCount }: OpeningPlan): string[] {
  if (leftCount === 0) return [];
  const more = leftCount - left.length;
  return [
    `left as they are, also without history: ${String(leftCount)}`,
    ...left.map(({ walletId, message }) => `  wallet ${walletId}: ${message}`),
    ...(more > 0 ? [`  ... and ${String(more)} more`] : []),
  ];
}

/** One JSON line for a plan; of its wallets only the first are in it, and how many there are. */
export function planJson({ wallets, ...plan }: OpeningPlan): string {
  return JSON.stringify({ type: 'openingPlan', wallets: wallets.length, ...plan });
}

export function openingJson(opening: Opening): string {
  const { walletId, userId, profileId, amount, balance, changes } = opening;
  const told = { walletId, userId, profileId, amount, balance, changes };
  return JSON.stringify({ type: 'opening', ...told });
}

export function openingProblemLine({ walletId, code, message }: OpeningProblem): string {
  return `wallet ${walletId} was left as it is: ${message} [${code}]`;
}

export function openingSummaryLine(summary: OpeningSummary): string {
  const { posted, coins, settled, skipped, errors, incomplete } = summary;
  const counts = `posted ${String(posted)}  coins ${coins}  settled ${String(settled)}  skipped ${String(skipped)}  errors ${String(errors)}`;
  return incomplete === null ? counts : `${counts}\nincomplete: interrupted; run it again`;
}
