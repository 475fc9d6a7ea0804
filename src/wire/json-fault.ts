import { parseExact } from '../model/exact.ts'
import { placeOfFault } from './json-place.ts'
import { malformed } from './request.ts'

/** A byte order mark is passed over, and no number is rounded. */
export function parseJson(text: string): unknown {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    return parseExact(json)
  } catch {
    throw malformed(`The body must be JSON: ${sayWhere(json)}.`)
  }
}

/**
 * Where a text ceases to be JSON. The engine's message repeats a piece of the body, which must not
 * go on, and seldom has the place.
 */
export function sayWhere(json: string): string {
  if (json === '') return 'it is empty'
  const place = placeOfFault(json)
  return place === json.length ? `it ends too early, after ${place} characters` : `the error is at character ${place}`
}
