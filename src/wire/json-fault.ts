import { parseExact } from '../model/exact.ts'
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

/** Above this a search would cost more than it tells. */
const searchedLengthMax = 256 * 1024

/**
 * Where a text ceases to be JSON. The engine's message repeats a piece of the body, which must not
 * go on, and seldom has the place. A text that could still become JSON fails at its very end: the
 * longest beginning of that kind, found by halving, ends where the fault is.
 */
export function sayWhere(json: string): string {
  if (json === '') return 'it is empty'
  if (canGoOn(json)) return `it ends too early, after ${json.length} characters`
  if (json.length > searchedLengthMax) return 'it holds a stray character'
  let [good, bad] = [0, json.length]
  while (bad - good > 1) {
    const half = (good + bad) >> 1
    if (canGoOn(json.slice(0, half))) good = half
    else bad = half
  }
  return `the error is at character ${good}`
}

/** Whether more text could make it JSON. */
function canGoOn(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch (error) {
    const place = /at position (\d+)/.exec(String(error))?.[1]
    return place === undefined ? /Unexpected end/.test(String(error)) : Number(place) === json.length
  }
}
