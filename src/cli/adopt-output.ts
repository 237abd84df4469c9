import type { Proposal, ProposedLack, ProposedPart, Proposals } from '../index.js';

/** How a proposal reads. Text out, nothing is printed here. */

/** The whole proposal: each guess with its reasons, what is off, and what was not chosen. */
export function proposalLines(found: Proposals, index: number): string {
  const proposal = found.proposals[index];
  if (proposal === undefined) return '';
  return [
    ...proposal.parts.flatMap(partLines),
    ...(proposal.notes.length === 0 ? [] : ['note', ...proposal.notes.map(indented), '']),
    ...(found.runnersUp.length === 0 ? [] : ['not chosen', ...runnerUpLines(found), '']),
    ...otherLines(found, index),
  ].join('\n');
}

function partLines({ part, table, because, columns, lacks }: ProposedPart): string[] {
  const width = Math.max(...columns.map(({ role }) => role.length));
  const names = Math.max(...columns.map(({ column }) => column.length));
  return [
    `${part}  ${table}`,
    ...because.map(indented),
    ...columns.map(
      ({ role, column, because: why }) =>
        `    ${role.padEnd(width)}  ${column.padEnd(names)}  ${why}`,
    ),
    ...lacks.map(lackLine),
    '',
  ];
}

function lackLine({ role, off, because }: ProposedLack): string {
  const why = because.length === 0 ? '' : ` (${because.join('; ')})`;
  return `    no ${role}: ${off}${why}`;
}

function runnerUpLines({ runnersUp }: Proposals): string[] {
  return runnersUp.map(({ part, table, against }) =>
    indented(`${table} as ${part}: ${against.join('; ')}`),
  );
}

function otherLines({ proposals }: Proposals, index: number): string[] {
  if (proposals.length < 2) return [];
  return [
    'other mappings that fit',
    ...proposals.flatMap((proposal, at) =>
      at === index ? [] : [`  ${String(at + 1)}  ${tablesOf(proposal)}`],
    ),
    '',
  ];
}

/** `ledger a, wallet b, no profile` */
function tablesOf({ mapping }: Proposal): string {
  const profile = mapping.profile === undefined ? 'no profile' : `profile ${mapping.profile.table}`;
  const activity = mapping.activity === undefined ? '' : `, activity ${mapping.activity.table}`;
  return `ledger ${mapping.ledger.table}, wallet ${mapping.wallet.table}, ${profile}${activity}`;
}

function indented(line: string): string {
  return `  ${line}`;
}

/** One JSON line for what was found: the proposal, and what else would fit. */
export function proposalJson({ proposals, runnersUp, looked }: Proposals): string {
  const [proposal] = proposals;
  return JSON.stringify({
    type: 'proposal',
    ...proposal,
    runnersUp,
    others: proposals.slice(1).map(({ mapping, score }) => ({ mapping, score })),
    looked,
  });
}
