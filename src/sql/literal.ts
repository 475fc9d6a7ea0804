import { base64urlToHex } from '../model/base64url.ts'
import type { ColumnType } from '../model/value.ts'
import type { Dialect } from './dialect.ts'

/** A default in SQL: the value exactly as the server itself would store it. */
export function literal(type: ColumnType, value: unknown, dialect: Dialect['name']): string {
  switch (type) {
    case 'integer':
      return String(value)
    case 'real':
      return dialect === 'sqlite' ? realLiteral(value as number) : String(value)
    case 'boolean':
      return dialect === 'sqlite' ? (value ? '1' : '0') : String(value)
    case 'bytes': {
      const hex = base64urlToHex(value as string)
      return dialect === 'sqlite' ? `x'${hex}'` : `'\\x${hex}'`
    }
    default:
      return `'${(type === 'json' ? JSON.stringify(value) : (value as string)).replaceAll("'", "''")}'`
  }
}

/**
 * SQLite's reading of short decimals sometimes misses the nearest double; with twenty digits it is
 * always hit.
 */
function realLiteral(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value)
  return Math.abs(value) === Number.MAX_VALUE ? String(value) : value.toPrecision(20)
}
