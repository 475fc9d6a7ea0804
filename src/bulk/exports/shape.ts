/** Programs whose exports are read by name. */
export type Origin = 'json' | 'sqlite' | 'mongo' | 'couchdb' | 'firestore'

/**
 * What one element of an export is: a row as an object of plain values, a row that is gone, or no
 * row at all.
 */
export type Exported =
  | { readonly row: Record<string, unknown> }
  | { readonly deleted: string }
  | { readonly fault: string }
  | { readonly skipped: true }

/** `key`: what the element stands under, where it stands in an object. */
export type ReadExported = (element: Record<string, unknown>, key: string | undefined) => Exported
