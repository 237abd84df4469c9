import { causePhrase, FIELD_NAMES, moment, UNKNOWN_ADVICE } from '../core/phrases.js';
import { times } from '../operations/words.js';
import type { BalanceStory, WalletStory } from '../index.js';

/** How the story of a balance reads. Text out, nothing is printed here. */

/** One JSON object: ids, amounts and times are text. */
export function storyJson(story: BalanceStory): string {
  return JSON.stringify({ type: 'explanation', ...story });
}

/** The story for people: wallet by wallet, what is said first, then what is on record, then what to do. */
export function storyLines(story: BalanceStory): string {
  const wallets = story.wallets.flatMap((wallet, place) => [
    ...(place === 0 ? [] : ['']),
    ...walletLines(wallet, story.refusal),
  ]);
  return [...wallets, '', installationLine(story)].join('\n');
}

function walletLines(wallet: WalletStory, refusal: string | null): string[] {
  return [
    heading(wallet),
    ...saidLines(wallet),
    ...breakLines(wallet),
    ...section('entries', wallet.entries, entryLine),
    ...section('written by others', wallet.writes, writeLine),
    ...section('sync failures', wallet.failures, failureLine),
    ...section('triggers not there', wallet.gaps, gapLine),
    ...section('repaired before', wallet.repairs, repairLine),
    ...verdictLines(wallet, refusal),
  ];
}

function heading({ userId, walletId, profileId, sharedWith }: WalletStory): string {
  const parts = [
    userId === null ? undefined : `user ${userId}`,
    walletId === null ? 'no wallet' : `wallet ${walletId}`,
    profileId === null ? 'no profile' : `profile ${profileId}`,
  ];
  const also = `wallet${sharedWith.length > 1 ? 's' : ''} ${sharedWith.join(', ')}`;
  const shared = sharedWith.length === 0 ? '' : ` (also of ${also})`;
  return parts.filter((part) => part !== undefined).join(', ') + shared;
}

function saidLines({
  caches,
  entryCount,
  sharedWith,
  walletExists,
  walletId,
}: WalletStory): string[] {
  const entries = `${entryCount} ${entryCount === '1' ? 'entry' : 'entries'}`;
  const missing = walletId !== null && !walletExists ? ['  the wallet has no row'] : [];
  const expected = (field: string): string | undefined =>
    caches.find((cache) => cache.field === field)?.expected;
  const earned = expected('lifetimeEarnings');
  const ledger = `  the ledger says ${expected('balance') ?? '0'}${earned === undefined ? '' : `, earned ${earned}`} (${entries})`;
  return [
    ledger,
    ...missing,
    ...caches.map(({ part, field, cached, expected: right }) => {
      const nobodys = part === 'profile' && sharedWith.length > 0;
      const mark = cached === right || nobodys ? '' : `   but it is ${right}`;
      return `  ${`${part} ${FIELD_NAMES[field]}`.padEnd(26)} ${cached ?? 'null'}${mark}`;
    }),
  ];
}

function breakLines({ chain }: WalletStory): string[] {
  const [first] = chain?.first ?? [];
  if (chain === null || first === undefined) return [];
  const { entryId, balanceAfter, expected, sequence, position } = first;
  const number =
    sequence === null || sequence === position
      ? ''
      : `, and it is number ${sequence} where ${position ?? ''} is due`;
  const more = chain.count === '1' ? '' : `; ${chain.count} breaks in all`;
  return [
    `  the running balance departs at entry ${entryId}: it says ${balanceAfter}, the entries add up to ${expected}${number}${more}`,
  ];
}

function section<Item>(
  title: string,
  items: readonly Item[],
  line: (item: Item) => string,
): string[] {
  return items.length === 0 ? [] : [`  ${title}:`, ...items.map((item) => `    ${line(item)}`)];
}

function entryLine(entry: WalletStory['entries'][number]): string {
  const amount = entry.amount.startsWith('-') ? entry.amount : `+${entry.amount}`;
  const words = [
    entry.createdAt === null ? '' : moment(entry.createdAt),
    `entry ${entry.id}`,
    amount,
    entry.balanceAfter === null ? '' : `= ${entry.balanceAfter}`,
    entry.reason ?? '',
    entry.atBreak ? '<- departs here' : '',
  ];
  return words.filter((word) => word !== '').join('  ');
}

function writeLine(write: WalletStory['writes'][number]): string {
  const program = write.applicationName === '' ? '' : ` (${write.applicationName})`;
  const kept = write.action === 'kept' ? ', kept out' : '';
  return (
    `${moment(write.writtenAt)}  ${write.part} ${FIELD_NAMES[write.field]} ` +
    `${write.oldValue ?? 'null'} -> ${write.newValue ?? 'null'} by ${write.role}${program}${kept}`
  );
}

function failureLine(failure: WalletStory['failures'][number]): string {
  const end =
    failure.healedAt === null
      ? `waiting, tried ${times(failure.attempts)}`
      : `healed ${moment(failure.healedAt)}`;
  return `${moment(failure.failedAt)}  ${failure.message} [${failure.sqlState}], ${end}`;
}

function gapLine({ what, lastSeenAt, noticedAt, endedAt }: WalletStory['gaps'][number]): string {
  const since = lastSeenAt === null ? 'some time' : moment(lastSeenAt);
  const until = endedAt === null ? 'now' : moment(endedAt);
  return `${since} to ${until}: ${what}, noticed ${moment(noticedAt)}`;
}

function repairLine({ repairedAt, kind, cause, changes }: WalletStory['repairs'][number]): string {
  const what = Object.entries(changes).map(
    ([cache, [before, after]]) => `${cache} ${before ?? 'null'} -> ${after}`,
  );
  return `${moment(repairedAt)}  ${kind} (${cause.replaceAll('_', ' ')}): ${what.join(', ')}`;
}

/** Findings with the same explanation are told together. */
function verdictLines(
  { findings, profileId, sharedWith }: WalletStory,
  refusal: string | null,
): string[] {
  if (findings.length + sharedWith.length === 0) return ['  everything agrees with the ledger'];
  const stories = new Map<string, string[]>();
  for (const finding of findings) {
    const why = `${causePhrase(finding)}${finding.cause === 'unknown' ? `. ${UNKNOWN_ADVICE}` : ` [${finding.cause}]`}`;
    stories.set(why, [...(stories.get(why) ?? []), ...remedyLines(finding)]);
  }
  if (sharedWith.length > 0) {
    const why = `profile ${profileId ?? ''} can show one wallet, and entries of each of them change it`;
    stories.set(why, []);
  }
  return [
    ...[...stories].flatMap(([why, lines]) => [`  why: ${why}`, ...lines]),
    ...(refusal === null
      ? []
      : [`    reconcile would refuse to run: ${refusal} See trueup doctor.`]),
  ];
}

function remedyLines({
  part,
  field,
  cached,
  expected,
  remedy,
}: WalletStory['findings'][number]): string[] {
  const what = `${part} ${FIELD_NAMES[field]}`;
  if (remedy === 'refuse') return [];
  return remedy === 'repair'
    ? [`    reconcile would set ${what} ${cached ?? 'null'} -> ${expected}`]
    : [`    reconcile would leave ${what} as it is`];
}

function installationLine({ installation, takenAt }: BalanceStory): string {
  const at = takenAt === '' ? '' : `as of ${moment(takenAt)} UTC; `;
  if (installation === null) return `${at}no record of an installed sync`;
  const { installedAt, removedAt, verifiedAt, guard } = installation;
  const removed = removedAt === null ? '' : `, removed ${moment(removedAt)}`;
  const verified = verifiedAt === null ? 'never verified' : `verified ${moment(verifiedAt)}`;
  return `${at}sync installed ${moment(installedAt)}${removed}, ${verified}, guard ${guard}`;
}
