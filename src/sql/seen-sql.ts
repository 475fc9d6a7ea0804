import type { Field } from './statement.ts'

/**
 * The stamp that a row had when its writer saw it, and that of the change, which is alone in its
 * pass.
 */
export const seenFields: readonly Field[] = [
  { name: 'seen_at$', type: 'integer' },
  { name: 'seen_by$', type: 'text' },
  { name: 'own_at$', type: 'integer' },
]

/**
 * Whether the row is as it was seen, or as the change itself has left it: it may take several
 * statements.
 */
export const isStillSeen = (client: string): string =>
  `((found$.updated_at, found$.updated_by) = (sent$.seen_at$, sent$.seen_by$) OR (found$.updated_at, found$.updated_by) = (sent$.own_at$, ${client}))`
