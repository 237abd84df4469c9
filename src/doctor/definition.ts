/** What the text of CREATE TRIGGER and CREATE FUNCTION comes to in the catalog. */

/** The bits of pg_trigger.tgtype. */
const BITS = { ROW: 1, BEFORE: 2, INSERT: 4, DELETE: 8, UPDATE: 16, TRUNCATE: 32 } as const;

/** What can be compared of a trigger, however PostgreSQL prints it. */
export interface TriggerShape {
  readonly type: number;
  /** Its WHEN without spaces, casts, quotes and brackets. */
  readonly when: string;
  /** How many columns UPDATE OF names. */
  readonly columns: number;
  readonly transitionTables: number;
}

/** Reads the shape from a CREATE TRIGGER statement, also from one that pg_get_triggerdef prints. */
export function shapeOf(create: string): TriggerShape {
  const masked = create.replace(/"(?:[^"]|"")*"/g, 'x').replace(/\s+/g, ' ');
  const events = /\b(?:BEFORE|AFTER) (.*?) ON /.exec(masked)?.[1] ?? '';
  const ofColumns = /UPDATE OF (.*?)(?: OR |$)/.exec(events)?.[1];
  const plain = events.replace(/ OF .*?(?= OR |$)/, '');
  const bits = [
    masked.includes('FOR EACH ROW') ? BITS.ROW : 0,
    /\bBEFORE /.test(masked) ? BITS.BEFORE : 0,
    ...(['INSERT', 'DELETE', 'UPDATE', 'TRUNCATE'] as const).map((event) =>
      plain.includes(event) ? BITS[event] : 0,
    ),
  ];
  return {
    type: bits.reduce((sum, bit) => sum + bit, 0),
    when: plainExpression(/WHEN (\(.*\)) EXECUTE/s.exec(create.replace(/\s+/g, ' '))?.[1] ?? ''),
    columns: ofColumns === undefined ? 0 : ofColumns.split(',').length,
    transitionTables: masked.match(/ (?:OLD|NEW) TABLE /g)?.length ?? 0,
  };
}

function plainExpression(text: string): string {
  return text
    .replace(/::(?:"[^"]+"|[a-z_.]+(?: varying| with(?:out)? time zone)?)/gi, '')
    .replace(/[\s()"]/g, '')
    .toLowerCase();
}

/** Whether a function runs with its owner's rights, and the search_path that it fixes. */
export function rightsOf(createFunction: string): { definer: boolean; searchPath: string | null } {
  const path = /SET search_path = ([^\n]*)/.exec(createFunction)?.[1];
  return {
    definer: /\bSECURITY DEFINER\b/.test(createFunction),
    searchPath: path === undefined ? null : path.replace(/[\s"]/g, ''),
  };
}
