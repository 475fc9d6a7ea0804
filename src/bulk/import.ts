import { checkStamp, clientRule, isClient } from '../model/change.ts'
import type { Rejection } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { isObject } from '../model/untrusted.ts'
import type { Tally } from '../model/verdict.ts'
import type { Facts } from '../observe/facts.ts'
import type { Operations } from '../sync/sync.ts'
import { type Grant, malformed } from '../wire/request.ts'
import type { ImportLine, ReadChunk } from './ndjson.ts'
import { idToText, setCounters, toBoolean } from './row-values.ts'

/** What an import is told once, for all its lines. */
export interface LineOptions {
  /** Who writes the lines that do not say it themselves. */
  readonly client: string
  /** The table of the lines that name none. */
  readonly table: string | undefined
  /**
   * Given: the lines are rows, an id and columns, and this is their stamp. Else they are changes.
   */
  readonly at: number | undefined
  readonly grant: Grant
  /** Digits of times that their columns do not keep are cut. */
  readonly cutDigits?: boolean
  /** The columns of rows in which 1 and 0 are true and false. */
  readonly booleans?: readonly string[] | undefined
  /** Its counters, of which a row says what they are set to. */
  readonly counters?: readonly string[] | undefined
}

/** Throws a `Problem` that names what is wrong with the options: every line would be. */
export function checkLineOptions(
  { client, table, at }: LineOptions,
  schema: Schema,
  now: number,
  clockDriftMsMax: number,
): void {
  if (!isClient(client)) throw malformed(`"client" must be ${clientRule}.`)
  const tables = [...schema.tablesByName.keys()].join(', ')
  if (table !== undefined && !schema.tablesByName.has(table)) throw malformed(`"table" must be one of ${tables}.`)
  if (at === undefined) return
  checkAt(at, now, clockDriftMsMax)
  if (table === undefined) throw malformed(`Rows, which "at" is the stamp of, need "table", one of ${tables}.`)
}

/** Throws a `Problem` where the stamp of all can be none. */
export function checkAt(at: number, now: number, clockDriftMsMax: number): void {
  const fault = checkStamp(at, { now, clockDriftMsMax })
  if (fault) throw malformed(fault.error.detail)
}

/** What became of a chunk of lines. */
export interface ChunkResult extends Tally {
  readonly rejections: readonly { readonly line: number; readonly error: Rejection }[]
}

/**
 * Applies chunks of lines one after the other; while the database is busy with one, the next is
 * made ready, if it is given already. After a fault no later chunk is applied, and none once the
 * signal says that nobody waits for them.
 *
 * What is wrong with a line is its own rejection.
 */
export function createImport(
  importChunk: Operations['importChunk'],
  subject: string,
  options: LineOptions,
  { facts, signal }: { readonly facts?: Facts; readonly signal?: AbortSignal } = {},
) {
  const { client, grant, cutDigits } = options

  // What was sent before comes again in one piece, so a chunk is like those before it. Until one of
  // them tells, all look.
  let looks = true
  let before: Promise<ChunkResult> | undefined

  return function importLines(lines: readonly ImportLine[]): Promise<ChunkResult> {
    const after = before && untilGone(before)
    after?.catch(() => {})
    const result = importAfter(lines, after)
    // Whoever waits for the result hears of a fault.
    result.catch(() => {})
    before = result
    return result
  }

  /** What is ready waits for this, and is not written where it fails. */
  async function untilGone(chunk: Promise<ChunkResult>): Promise<ChunkResult> {
    const result = await chunk
    signal?.throwIfAborted()
    return result
  }

  async function importAfter(lines: readonly ImportLine[], after: typeof before): Promise<ChunkResult> {
    const rejected = new Map<number, Rejection>()
    const tally: Tally = { applied: 0, duplicate: 0, stale: 0 }
    signal?.throwIfAborted()
    const changes: LineChange[] = []
    const isMapped = lines.some((line) => line.changes)
    for (const { line, value, error, changes: mapped } of lines) {
      if (error) rejected.set(line, error)
      else if (mapped) changes.push(...mapped.map((change) => ({ line, change: toChange(change, options) })))
      else if (!isPageEnd(value)) changes.push({ line, change: toChange(value, options) })
    }

    /** What the database could not find out about in one piece is sent again in halves. */
    async function send(some: readonly LineChange[]): Promise<void> {
      if (some.length === 0) return
      const request = { client, grant, cutDigits, after, looks, changes: some.map(({ change }) => change) }
      // The line of a change was measured; what a mapping makes of one may be larger.
      const answer = await importChunk(subject, request, { ...(facts && { facts }), ...(!isMapped && { bytes: 0 }) })
      for (const verdict of ['applied', 'duplicate', 'stale'] as const) tally[verdict] += answer.tally[verdict]
      const again: LineChange[] = []
      for (const [index, error] of answer.rejected) {
        const one = some[index] as LineChange
        if (error.code === 'send_fewer' && some.length > 1) again.push(one)
        // Of the changes of a line the first one that is rejected stands for it.
        else if (!rejected.has(one.line)) rejected.set(one.line, error)
      }
      signal?.throwIfAborted()
      const half = Math.ceil(again.length / 2)
      await send(again.slice(0, half))
      await send(again.slice(half))
    }

    // A mapping may make many changes of a line.
    for (let from = 0; from < changes.length; from += limits.changesMax)
      await send(changes.slice(from, from + limits.changesMax))
    looks = tally.applied * 2 < changes.length
    // Rejections of the database come after those of the decoder.
    const rejections = [...rejected].sort(([a], [b]) => a - b).map(([line, error]) => ({ line, error }))
    return { ...tally, rejections }
  }
}

/** A chunk, and what became of it. */
export type ImportedChunk = ChunkResult & ReadChunk

/**
 * The results of chunks in their order, two of them under way at once, each as soon as it is there.
 */
export async function* importChunks(
  chunks: AsyncGenerator<ReadChunk>,
  importChunk: (lines: readonly ImportLine[]) => Promise<ChunkResult>,
): AsyncGenerator<ImportedChunk> {
  const running: { chunk: ReadChunk; result: Promise<ChunkResult> }[] = []
  let reading: Promise<IteratorResult<ReadChunk>> | undefined
  try {
    for (let ended = false; !ended || running.length > 0; ) {
      const [first] = running
      if (!ended && running.length < 2) {
        reading ??= chunks.next()
        const read = first ? await Promise.race([reading, first.result.then(() => undefined)]) : await reading
        if (read) {
          reading = undefined
          ended = read.done === true
          if (!read.done) running.push({ chunk: read.value, result: importChunk(read.value.lines) })
          continue
        }
      }
      if (first) yield { ...first.chunk, ...(await first.result) }
      running.shift()
    }
  } finally {
    reading?.catch(() => {})
    await Promise.allSettled(running.map(({ result }) => result))
    await chunks.return(undefined)
  }
}

interface LineChange {
  readonly line: number
  readonly change: unknown
}

/** The lines of an export that hold no change. */
export function isPageEnd(value: unknown): boolean {
  if (!isObject(value) || 'op' in value || 'id' in value) return false
  return 'cursor' in value || typeof value.rows === 'number'
}

/** The change that a line stands for. What it is not is left to the decoder. */
function toChange(value: unknown, { at, table, booleans = [], counters = [] }: LineOptions): unknown {
  if (!isObject(value)) return value
  if (at === undefined) return table === undefined || 'table' in value ? value : { ...value, table }
  const { id, ...row } = value
  for (const name of booleans) if (typeof row[name] === 'number') row[name] = toBoolean(row[name])
  return { table, op: 'put', id: idToText(id), at, row: setCounters(counters, row) }
}

export const chunkSize = { linesMax: limits.importLinesMax, textMax: limits.importTextMax }
