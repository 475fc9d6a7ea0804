import type { PutRow, Schema, TableName } from '../model/table.ts'

/**
 * What the mapping of an import gives for a record: the row of a put, with its id. As what a
 * function is said to return it refuses a column that the table does not have:
 * `(user: User): ImportRow<typeof schema, 'users'> | null => …`.
 */
export type ImportRow<S extends Schema, Name extends TableName<S>> = PutRow<S, Name> & {
  /** An integer is taken as its digits. It must be the same whenever the record comes again. */
  readonly id: string | number
  /** The row's scope, where it is not that of all. */
  readonly scope?: string | undefined
} & ('at' extends keyof PutRow<S, Name>
    ? unknown
    : {
        /** The row's own stamp, where it is not that of all: microseconds, or RFC 3339. */
        readonly at?: number | string | undefined
      })
