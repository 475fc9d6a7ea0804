/**
 * Identifiers are checked where the schema is defined; quoting keeps reserved words usable. What a
 * statement names itself ends in $, which no table's and no column's name holds: none can hide the
 * other.
 */
export function quoted(name: string): string {
  return `"${name}"`
}
