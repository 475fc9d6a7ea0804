import { formatCursor } from '../model/cursor.ts'
import type { Cursor, ScopeHead } from '../model/cursor-entry.ts'
import { hashText } from '../observe/facts.ts'

/**
 * Raise it with every change of the lines of a stream: what clients have cached is then sent anew.
 */
const streamVersion = 2

/**
 * The ETag of a stream: what it is made of, beside the rows. Whatever is written to a scope moves
 * its position on, and a
 * history that was put back has another incarnation; which scopes a token grants stands in it, so a
 * scope that was granted
 * or lost is another tag. Weak: rows that were written while the stream was under way may be in it
 * as well, and with them
 * the copy is as good. A copy whose rows were written past driftline stays valid, as for every
 * client that pulled them.
 *
 * @param shape the tables and their columns, as text
 */
export async function streamTag(
  shape: string,
  heads: ReadonlyMap<string, ScopeHead | undefined>,
  cursor: Cursor | null,
  limit: number,
): Promise<string> {
  const scopes = [...heads].map(([scope, head]) => [scope, head?.incarnation, head?.position])
  return `W/"${await hashText(JSON.stringify([streamVersion, shape, scopes, cursor && formatCursor(cursor), limit]))}"`
}
