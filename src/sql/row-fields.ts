import { seenFields } from './seen-sql.ts'
import type { Field } from './statement.ts'

/** Of changes that ask for a row as it was seen. */
export const changedFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  ...seenFields.slice(0, 2),
]

/**
 * Fields of the parameters. Their names end in $, which no column's may, so that none can be taken
 * for another.
 */
export const stepFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  { name: 'base_at$', type: 'integer' },
  { name: 'base_deleted$', type: 'boolean' },
]
/** The stamp that a row must have reached, and whether it must be there at all. */
export const reachFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  { name: 'required$', type: 'boolean' },
]
export const weightFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'times$', type: 'integer' },
]
export const forecastFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  { name: 'base_at$', type: 'integer' },
  { name: 'letters$', type: 'text' },
]

/** Name of the field with the stamp of a column's patch, beside the field with its value. */
export const stampKey = (key: string) => key.replace('c', 's')
