import type { AppTable } from '../../model/adopted.ts'
import { type AdoptedTable, isAdopted, type Schema } from '../../model/table.ts'
import type { ColumnType } from '../../model/value.ts'
import { sourceOf } from '../../sql/adopted/spelling.ts'

/** What functions and triggers of a table that is adopted follow from: one line of schema.json. */
export interface AdoptedSnapshot extends Omit<AppTable, 'schema' | 'softDelete' | 'unique'> {
  readonly schema?: string
  readonly softDelete?: string
  readonly unique?: AppTable['unique']
  /** By the names that columns have in the app's table. */
  readonly columns: { readonly [column: string]: { readonly type: ColumnType; readonly readonly?: true } }
}

export interface AdoptedSnapshots {
  readonly [table: string]: AdoptedSnapshot
}

export const snapshotAdopted = (schema: Schema): AdoptedSnapshots =>
  Object.fromEntries(schema.tables.filter(isAdopted).map((table) => [table.name, snapshotOf(table)]))

export function snapshotOf({ adopted, columns }: AdoptedTable): AdoptedSnapshot {
  const { schema, table, key, keyType, scope, softDelete, unique } = adopted
  return {
    ...(schema !== undefined && { schema }),
    ...{ table, key, keyType, scope },
    ...(softDelete !== undefined && { softDelete }),
    ...(unique.length > 0 && { unique }),
    columns: Object.fromEntries(
      columns.map((column) => [
        sourceOf(column),
        { type: column.type, ...(column.readonly && { readonly: true as const }) },
      ]),
    ),
  }
}

/** What is known of a table that the schema has no longer, to take away what lies beside it. */
export interface Remembered {
  readonly name: string
  readonly adopted: AppTable
}

export const rememberedTable = (name: string, was: AdoptedSnapshot): Remembered => ({
  name,
  adopted: { ...was, schema: was.schema, softDelete: was.softDelete, unique: was.unique ?? [] },
})

export function isAdoptedSnapshot(value: unknown): value is AdoptedSnapshot {
  const { table, key, keyType, scope, columns } = (value ?? {}) as Partial<AdoptedSnapshot>
  const isText = (one: unknown) => typeof one === 'string'
  const isObject = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one)
  return [table, key, keyType].every(isText) && isObject(scope) && isObject(columns)
}
