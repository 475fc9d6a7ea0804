/**
 * Postgres cuts names at 63 bytes, which would make of the longest ones the table's own name, or
 * another's index.
 */
export function indexName(table: string, suffix: string): string {
  if (table.length + suffix.length <= 63) return table + suffix
  if (suffix.length > 40) return indexName(table, `_${hashOf(suffix)}_key`)
  return `${table.slice(0, 55 - suffix.length)}_${hashOf(table)}${suffix}`
}

function hashOf(text: string): string {
  let hash = 0
  for (const letter of text) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0
  return hash.toString(36)
}

/** The index of a key that is unique in a scope. */
export const uniqueIndex = (table: string, key: readonly string[]): string => indexName(table, `_${key.join('_')}_key`)
