import type { Rejection } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { nextTurn, turnChanges } from '../model/turn.ts'
import type { ImportLine, ReadChunk } from './ndjson.ts'

/**
 * What a mapping makes of a line: changes, of which there may be none, or why it does not take it.
 * Nothing at all where the line holds no record.
 */
export type MappedLine =
  | { readonly changes: readonly unknown[]; readonly error?: never }
  | { readonly error: Rejection; readonly changes?: never }
  | undefined

export type MapLine = (line: ImportLine) => MappedLine | Promise<MappedLine>

/**
 * Gives each line to a mapping, one after the other, in the order of the file; a line keeps its
 * number and its source whatever becomes of it. Lines up to `after` were taken before, and are not
 * mapped again. Long chunks are mapped in turns, so that others are answered in between, and end
 * early where many changes come of few lines, so that memory stays flat.
 */
export async function* mapChunks(
  chunks: AsyncIterable<ReadChunk>,
  mapLine: MapLine,
  after = 0,
): AsyncGenerator<ReadChunk> {
  let asked = 0
  for await (const { lines, last } of chunks) {
    let mapped: ImportLine[] = []
    let [changes, passed] = [0, 0]
    for (const one of lines) {
      const { line, source } = one
      if (line <= after) continue
      if (one.error) {
        mapped.push(one)
        continue
      }
      if (++asked % turnChanges === 0) await nextTurn()
      const found = mapLine(one)
      // To wait for what is there already would cost as much as most mappings.
      const made = found instanceof Promise ? await found : found
      if (made?.error || (made && made.changes.length > 0)) mapped.push({ line, source, ...made })
      else if (made) passed++
      changes += made?.changes?.length ?? 0
      if (changes < limits.changesMax) continue
      yield { lines: mapped, last: line, passed }
      mapped = []
      changes = passed = 0
    }
    yield { lines: mapped, last, passed }
  }
}

/**
 * Whether something is a promise, of whichever library: what a function gave that somebody else
 * wrote.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
