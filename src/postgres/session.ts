/** What every connection of Trueup's own pools begins with. */

/**
 * The setting by which triggers tell Trueup's own connections from others, and its value there. It is
 * no lock: any session may set it. Rights are what keeps somebody out.
 */
export const WRITER = { setting: 'trueup.writer', value: 'trueup' } as const;

/**
 * Where policies would hide rows of a table from this role, the server refuses the statement: a repair
 * that saw a part of the ledger only would write that part into the caches.
 */
const EVERY_ROW = { row_security: 'off' } as const;

export const EVERY_SESSION = { [WRITER.setting]: WRITER.value, ...EVERY_ROW } as const;
