import { checkStamp, clientRule, isClient, isObject } from '../model/change.ts'
import { Problem, type Rejection } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import type { Schema } from '../model/table.ts'
import type { Tally } from '../model/verdict.ts'
import type { Facts } from '../observe/facts.ts'
import type { RunSync } from '../sync/sync.ts'
import { type Grant, malformed, type SyncRequest } from '../wire/request.ts'
import type { ImportLine, ReadChunk } from './ndjson.ts'
import { idToText, toBoolean } from './row-values.ts'

/** What an import is told once, for all its lines. */
export interface ImportWish {
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
}

/** Throws a `Problem` that names what is wrong with the wish itself, since every line would be. */
export function checkWish(
  { client, table, at }: ImportWish,
  schema: Schema,
  now: number,
  clockDriftMsMax: number,
): void {
  if (!isClient(client)) throw malformed(`"client" must be ${clientRule}.`)
  const tables = [...schema.tablesByName.keys()].join(', ')
  if (table !== undefined && !schema.tablesByName.has(table)) throw malformed(`"table" must be one of ${tables}.`)
  if (at === undefined) return
  const fault = checkStamp(at, { now, clockDriftMsMax })
  if (fault) throw malformed(fault.error.detail)
  if (table === undefined) throw malformed(`Rows, which "at" is the stamp of, need "table", one of ${tables}.`)
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
 * Of a chunk each scope in one transaction; what is wrong with a line is its own rejection. Lines
 * of a row of their own, which are all of most imports, go in bulk. The others (patches, and rows
 * that come more than once) go as ordinary change sets, one for each client, and so end as if they
 * had been pushed.
 */
export function createImport(
  run: RunSync,
  principal: Principal,
  wish: ImportWish,
  { facts, signal }: { readonly facts?: Facts; readonly signal?: AbortSignal } = {},
) {
  const { client, grant, cutDigits } = wish
  const base = { client, atomic: false, return: 'lost', limit: 1, grant, cutDigits } as const

  // What was sent before comes again in one piece, so a chunk is like those before it. Until one of
  // them tells, all look.
  let peek = true
  let before: Promise<ChunkResult> | undefined

  return function importChunk(lines: readonly ImportLine[]): Promise<ChunkResult> {
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
    for (const { line, value, error } of lines) {
      if (error) rejected.set(line, error)
      else if (!isPageEnd(value)) changes.push({ line, change: toChange(value, wish) })
    }

    async function send(some: readonly LineChange[], request: Pick<SyncRequest, 'client' | 'bulk'>): Promise<void> {
      if (some.length === 0) return
      const all = { ...base, ...request, after, changes: some.map(({ change }) => change) }
      const answer = await run(principal, all, facts, 0).catch(async (error: unknown) => {
        if (!(error instanceof Problem) || error.code !== 'answer_too_large' || some.length === 1) throw error
        const half = some.length >> 1
        await send(some.slice(0, half), request)
        await send(some.slice(half), request)
      })
      for (const verdict of ['applied', 'duplicate', 'stale'] as const) tally[verdict] += answer?.bulk?.[verdict] ?? 0
      const errors = new Map(Object.entries(answer?.bulk?.rejections ?? {}).map(([index, error]) => [+index, error]))
      for (const [index, one] of request.bulk ? [] : (answer?.verdicts ?? []).entries()) {
        if (one.verdict === 'rejected') errors.set(index, one.error)
        else tally[one.verdict]++
      }
      const again: LineChange[] = []
      for (const [index, error] of errors) {
        const one = some[index] as LineChange
        if (error.code === 'send_fewer' && some.length > 1) again.push(one)
        else rejected.set(one.line, error)
      }
      signal?.throwIfAborted()
      const half = Math.ceil(again.length / 2)
      await send(again.slice(0, half), request)
      await send(again.slice(half), request)
    }

    const { alone, byClient } = split(changes, wish)
    const groups: readonly Group[] = [
      { some: alone, request: { client: wish.client, bulk: { peek } } },
      ...[...byClient].map(([client, some]) => ({ some, request: { client } })),
    ]
    /** How many lines were applied when a group had been sent. */
    const appliedAt: number[] = []
    for (const [place, { some, request }] of groups.entries()) {
      await send(some, request)
      if (place === 0) peek = tally.applied * 2 < alone.length
      appliedAt[place] = tally.applied
    }
    // What a line lacks may have come with another group: a row to patch or to refer to, a unique
    // value that is free now. No more often than there are groups, and only while it helps.
    for (let round = 1, gained = true; round < groups.length && gained; round++) {
      gained = false
      for (const [place, { some, request }] of groups.entries()) {
        const before = tally.applied
        const again = before === appliedAt[place] ? [] : some.filter(({ line }) => isOfOthers(rejected.get(line)))
        for (const { line } of again) rejected.delete(line)
        await send(again, request)
        appliedAt[place] = tally.applied
        gained ||= tally.applied > before
      }
    }
    // Rejections of the database come after those of the decoder.
    const rejections = [...rejected].sort(([a], [b]) => a - b).map(([line, error]) => ({ line, error }))
    return { ...tally, rejections }
  }
}

/**
 * The results of chunks in their order, two of them under way at once, each as soon as it is there.
 */
export async function* importChunks(
  chunks: AsyncGenerator<ReadChunk>,
  importChunk: (lines: readonly ImportLine[]) => Promise<ChunkResult>,
): AsyncGenerator<ChunkResult & { readonly last: number }> {
  const running: { last: number; result: Promise<ChunkResult> }[] = []
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
          if (!read.done) running.push({ last: read.value.last, result: importChunk(read.value.lines) })
          continue
        }
      }
      if (first) yield { ...(await first.result), last: first.last }
      running.shift()
    }
  } finally {
    reading?.catch(() => {})
    await Promise.allSettled(running.map(({ result }) => result))
    await chunks.return(undefined)
  }
}

/** Lines that are sent together. */
interface Group {
  readonly some: readonly LineChange[]
  readonly request: Pick<SyncRequest, 'client' | 'bulk'>
}

/** Whether what else is stored decides it. */
const isOfOthers = (error: Rejection | undefined) => error?.code === 'constraint' || error?.code === 'row_missing'

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
function toChange(value: unknown, { at, table, booleans = [] }: ImportWish): unknown {
  if (!isObject(value)) return value
  if (at === undefined) return table === undefined || 'table' in value ? value : { ...value, table }
  const { id, ...row } = value
  for (const name of booleans) if (typeof row[name] === 'number') row[name] = toBoolean(row[name])
  return { table, op: 'put', id: idToText(id), at, row }
}

/** Puts and deletes alone for their row, and the others by who wrote them. */
function split(changes: readonly LineChange[], { client, grant }: ImportWish) {
  const isAlone = rowsThatComeOnce(changes, grant.scope)
  const alone: LineChange[] = []
  const byClient = new Map<string, LineChange[]>()
  for (const one of changes) {
    const { op, by = client } = isObject(one.change) ? one.change : {}
    // What cannot be decoded is rejected wherever it goes.
    if ((op !== 'patch' && isAlone(one)) || !isClient(by)) {
      alone.push(one)
      continue
    }
    const list = byClient.get(by)
    if (list) list.push(one)
    else byClient.set(by, [one])
  }
  return { alone, byClient }
}

function rowsThatComeOnce(changes: readonly LineChange[], scopeOfOthers: string | undefined) {
  const idOf = ({ change }: LineChange) => (isObject(change) ? textOf(change.id) : '')
  // In most chunks no id comes twice, whatever its table and scope.
  const ids = new Set<string>()
  for (const one of changes) ids.add(idOf(one))
  if (ids.size === changes.length) return () => true
  const keyOf = (one: LineChange) => {
    const { scope = scopeOfOthers, table } = isObject(one.change) ? one.change : {}
    return `${textOf(scope)}\n${textOf(table)}\n${idOf(one)}`
  }
  const counts = new Map<string, number>()
  for (const one of changes) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1)
  return (one: LineChange) => counts.get(keyOf(one)) === 1
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

export const chunkSize = { linesMax: limits.importLinesMax, textMax: limits.importTextMax }
