import type { Queryable } from './database.js';
import { currentRole } from './statements.js';

/** The role of a session, quoted, for a GRANT that it lacks. */
export async function roleOf(session: Queryable): Promise<string> {
  const [row] = await session.query<{ role: string }>(currentRole);
  return row?.role ?? '';
}
