import { groupBy } from '../model/group-by.ts'
import type { Dialect } from './dialect.ts'
import type { Cells, Statement } from './statement.ts'

/** A foreign key of the user's own to a synced table. */
export interface Reference {
  /** The table that is referred to. */
  readonly parent: string
  /** As SQL, quoted. */
  readonly child: string
  readonly isChildSynced: boolean
  /** Names of the child's columns, and of those that they refer to. */
  readonly columns: readonly (readonly [of: string, at: string])[]
  /**
   * What the database does to the child where the parent's row is removed; undefined where it
   * refuses that.
   */
  readonly onDelete: 'CASCADE' | 'SET NULL' | 'SET DEFAULT' | undefined
}

export function readReferences(
  { references }: Pick<Dialect, 'references'>,
  tables: readonly { readonly name: string }[],
): Statement {
  return { sql: references, params: [JSON.stringify(tables.map(({ name }) => name))], reads: true }
}

export function referencesOf(rows: readonly Cells[]): readonly Reference[] {
  const keys = groupBy(rows, ([parent, , , key]) => `${parent}\n${key}`)
  return [...keys.values()].flatMap((pairs) => {
    const [first] = pairs
    if (!first) return []
    const [parent, child, isChildSynced, , , , rule] = first
    return [
      {
        parent: String(parent),
        child: String(child),
        isChildSynced: Number(isChildSynced) === 1,
        columns: pairs.map(([, , , , of, at]) => [String(of), String(at)] as const),
        onDelete: (rule ?? undefined) as Reference['onDelete'],
      },
    ]
  })
}
