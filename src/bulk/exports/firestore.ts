import { isObject } from '../../model/untrusted.ts'
import type { Exported } from './shape.ts'

export const firestoreWrapper = /^\s*\{\s*"(documents|__collections__)"\s*:/

/**
 * A document of Firestore: as its REST interface and `runQuery` give it, with the type of each
 * value, or plain, under its id, as tools export it (`__collections__`). Collections below it are
 * no columns, and are passed over.
 */
export function readFirestore(element: Record<string, unknown>, key: string | undefined): Exported {
  const { document } = element
  if ('readTime' in element && !('document' in element) && !('fields' in element)) return { skipped: true }
  const from = isObject(document) ? document : element
  if (isObject(from.fields) && typeof from.name === 'string') {
    const row = Object.entries(from.fields).map(([name, value]) => [name, toPlain(value)])
    return { row: { ...Object.fromEntries(row), id: from.name.split('/').at(-1) } }
  }
  const { __collections__: _, ...row } = from
  return { row: key === undefined ? row : { ...mapPlain(row), id: key } }
}

const mapPlain = (row: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fromTool(value)]))

/**
 * Tools write times as `{ __datatype__: 'timestamp', value: { _seconds, _nanoseconds } }`, or those
 * two alone.
 */
function fromTool(value: unknown): unknown {
  if (!isObject(value)) return value
  const inner = value.__datatype__ === 'timestamp' && isObject(value.value) ? value.value : value
  const { _seconds, _nanoseconds } = inner
  if (typeof _seconds !== 'number' || typeof _nanoseconds !== 'number') return value
  const day = new Date(_seconds * 1000)
  if (Number.isNaN(day.getTime())) return value
  return day.toISOString().replace(/\.\d+Z$/, `.${String(_nanoseconds).padStart(9, '0')}Z`)
}

/** A value with its type as a plain one. */
function toPlain(value: unknown): unknown {
  if (!isObject(value)) return value
  const [[type, inner] = ['', undefined]] = Object.entries(value)
  switch (type) {
    case 'nullValue':
      return null
    case 'integerValue':
      return Number.isSafeInteger(Number(inner)) ? Number(inner) : inner
    case 'arrayValue':
      return isObject(inner) && Array.isArray(inner.values) ? inner.values.map(toPlain) : []
    case 'mapValue':
      return Object.fromEntries(
        Object.entries(isObject(inner) && isObject(inner.fields) ? inner.fields : {}).map(([name, one]) => [
          name,
          toPlain(one),
        ]),
      )
    case 'bytesValue':
      return typeof inner === 'string' ? Buffer.from(inner, 'base64').toString('base64url') : inner
    case 'referenceValue':
      return typeof inner === 'string' ? inner.split('/').at(-1) : inner
    default:
      return inner
  }
}
