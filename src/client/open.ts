import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { isName } from '../model/text.ts'
import { ForeignDatabaseError } from './errors.ts'
import { newId, newName } from './ids.ts'
import { readMeta, type Self, writeMeta } from './local/meta.ts'
import type { Database, Storage } from './storage/storage.ts'

/** Opens the database of a scope, and gives it a client's name where it is new. */
export async function openDatabase(
  storage: Storage,
  schema: Schema,
  scope: string,
): Promise<{ readonly database: Database; readonly self: Self }> {
  if (!isName(scope, limits.scopeLengthMax))
    throw new TypeError('scope must be the user’s own scope, such as the sub of the token')
  const tables = schema.tables.map(({ wire, columns }) => ({
    name: wire,
    columns: columns.map((column) => ({ name: column.wire })),
  }))
  const database = await storage.open(`driftline:${scope}`, tables)
  try {
    const self = await database.write(async (tx) => {
      const held = await readMeta(tx, 'self')
      if (held && held.scope !== scope)
        throw new ForeignDatabaseError(
          `The database is of the scope ${held.scope}, and not of ${scope}: give each user a file of their own.`,
        )
      if (held) return held
      const made: Self = { database: newId(), client: newName(), scope }
      await writeMeta(tx, 'self', made)
      return made
    })
    return { database, self }
  } catch (error) {
    await database.close()
    throw error
  }
}
