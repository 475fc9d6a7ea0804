import { rejection } from '../../model/errors.ts'
import type { Schema } from '../../model/table.ts'
import type { WireAnswer, WirePage, WireStored, WireVerdict } from '../../wire/typed.ts'
import { readSync } from '../local/meta.ts'
import { beginAnew, type Taken, takeAnswer } from '../local/settle.ts'
import type { Database, OutboxRecord } from '../storage/storage.ts'
import { type Batch, batchChangesMax, nextBatch } from './batch.ts'
import { AnswerFault, NetworkFault, type Requests, readJson } from './request.ts'

export interface RoundOptions {
  readonly schema: Schema
  readonly client: string
  readonly database: Database
  readonly requests: Requests
  /** Whether bodies are read while they come. */
  readonly stream: boolean
  /** What an answer changed, once it is stored. */
  readonly onTaken: (taken: Taken) => Promise<void>
  readonly onProgress: (
    phase: 'push' | 'pull' | 'bootstrap' | 'resync' | null,
    done?: number,
    total?: number | null,
  ) => void
  readonly encode: (change: OutboxRecord['change']) => Promise<OutboxRecord['change']>
  readonly decode: (change: WireStored) => Promise<WireStored>
}

const pageRows = 2_000
const hourMs = 3_600_000
const failuresMax = 3
const resyncsMax = 3
const growAfter = 5

/** What goes over the wire in one round: until nothing is left to send or to pull (CLIENT 6). */
export function createRounds(options: RoundOptions) {
  const { schema, client, database, requests, onTaken, onProgress } = options
  const columns = Object.fromEntries(schema.tables.map(({ wire, columns: all }) => [wire, all.map((one) => one.wire)]))
  /** Changes of one request: fewer after what was too much, more again after what went well. */
  let most = batchChangesMax
  let successes = 0
  let timeouts = 0
  let failures = 0
  let resyncs = 0

  const shrink = (size: number) => {
    most = Math.max(1, Math.floor(Math.min(most, size) / 2))
    successes = 0
  }
  const grow = () => {
    failures = 0
    timeouts = 0
    if (++successes < growAfter) return
    successes = 0
    most = Math.min(batchChangesMax, most * 2)
  }

  /** Stores an answer, and tells of it. */
  async function take(records: readonly OutboxRecord[], answer: Partial<WireAnswer> & { now: number }): Promise<Taken> {
    const decoded = await decodeAll(answer)
    const page = decoded.cursor === undefined ? undefined : decoded
    const verdicts = decoded.verdicts ?? []
    if (verdicts.length !== records.length)
      throw new NetworkFault(new Error('The answer has not a verdict for each change.'))
    const taken = await database.write((tx) =>
      takeAnswer(tx, { schema, client, sent: records, verdicts, page, now: answer.now }),
    )
    await onTaken(taken)
    return taken
  }

  async function decodeAll<Answer extends Partial<WireAnswer>>(answer: Answer): Promise<Answer> {
    const { decode } = options
    const verdicts = answer.verdicts && (await Promise.all(answer.verdicts.map((one) => decodeVerdict(one, decode))))
    const changes = answer.changes && (await Promise.all(answer.changes.map(decode)))
    return { ...answer, ...(verdicts && { verdicts }), ...(changes && { changes }) }
  }

  /** Sends a batch, with the cursor, and in a sync asks for what others wrote. */
  async function send(batch: Batch | undefined, half: 'sync' | 'push'): Promise<boolean> {
    const records = batch?.records ?? []
    const { cursor } = await database.read(readSync)
    await markSent(records)
    onProgress(records.length > 0 ? 'push' : 'pull')
    const changes = await Promise.all(records.map(({ change }) => options.encode(change)))
    const body = {
      ...{ client, cursor, return: 'lost', columns, changes },
      ...(half === 'sync' && { limit: pageRows }),
      ...(batch?.atomic && { atomic: true }),
    }
    try {
      const answer = await readJson<WireAnswer>(await requests.send(`/v1/${half}`, { body }))
      const taken = await take(records, answer)
      if (taken.sendFewer && records.length === 1) await putOff(records)
      else if (taken.sendFewer) shrink(records.length)
      else grow()
      return taken.more
    } catch (error) {
      await minded(error, batch)
      return true
    }
  }

  /** What a fault of a request with changes says of them. Throws what the loop has to wait for. */
  async function minded(error: unknown, batch: Batch | undefined): Promise<void> {
    const records = batch?.records ?? []
    const isAlone = records.length <= 1 || batch?.atomic === true
    if (error instanceof NetworkFault && error.isTimeout && records.length > 0) {
      if (++timeouts >= 2) {
        timeouts = 0
        shrink(records.length)
      }
      throw error
    }
    if (!(error instanceof AnswerFault)) throw error
    const { problem } = error
    if (problem.status === 410 || problem.code === 'invalid_cursor') {
      // A server that never takes its own cursors is waited for.
      if (++resyncs > resyncsMax) throw error
      const { scopes = 'all', cursor = null } = problem.status === 410 ? problem : {}
      return resync(scopes, cursor)
    }
    if (problem.status === 422 && problem.code === 'atomic_rejected' && problem.error) {
      const { index, error: reason, now = Date.now() * 1000 } = problem
      const others = rejection('constraint', 'Another change of the same transaction was rejected.', reason.retryable)
      const verdicts = records.map(
        (_, place): WireVerdict => ({ verdict: 'rejected', error: place === index ? reason : others }),
      )
      await take(records, { now, verdicts })
      return
    }
    if (problem.status === 413 && records.length > 0) {
      if (isAlone) await putOff(records)
      else shrink(records.length)
      return
    }
    if (problem.status === 500 && records.length > 0 && ++failures >= failuresMax) {
      failures = 0
      if (isAlone) await putOff(records)
      else shrink(records.length)
    }
    throw error
  }

  async function markSent(records: readonly OutboxRecord[]): Promise<void> {
    if (records.every(({ sent }) => sent)) return
    await database.write(async (tx) => {
      const held = await tx.get(
        'outbox',
        records.map(({ seq }) => seq),
      )
      await tx.put(
        'outbox',
        held.flatMap((record) => (record && !record.sent ? [{ ...record, sent: true }] : [])),
      )
    })
  }

  /** Tried again after an hour: nothing else waits for them, but changes of their rows. */
  async function putOff(records: readonly OutboxRecord[]): Promise<void> {
    await database.write(async (tx) => {
      const held = await tx.get(
        'outbox',
        records.map(({ seq }) => seq),
      )
      await tx.put(
        'outbox',
        held.flatMap((record) => (record ? [{ ...record, after: Date.now() + hourMs }] : [])),
      )
    })
  }

  async function resync(scopes: readonly string[] | 'all', cursor: string | null): Promise<void> {
    onProgress('resync')
    await database.write((tx) => beginAnew(tx, scopes, cursor))
  }

  /** One page of a bootstrap, by which the cursor goes on. */
  async function pullPage(): Promise<boolean> {
    const { cursor } = await database.read(readSync)
    onProgress('bootstrap')
    try {
      const response = await requests.send('/v1/pull', { body: { cursor, limit: pageRows, columns } })
      return (await take([], { ...(await readJson<WirePage>(response)), verdicts: [] })).more
    } catch (error) {
      await minded(error, undefined)
      return true
    }
  }

  /** All pages as one stream: a line with a cursor is a transaction, from which a cut goes on. */
  async function pullStream(): Promise<boolean> {
    const { cursor } = await database.read(readSync)
    onProgress('bootstrap')
    try {
      const response = await requests.send('/v1/pull', {
        body: { cursor, columns },
        accept: 'application/x-ndjson',
      })
      if (!response.body) return pullPage()
      let changes: WireStored[] = []
      let [done, total] = [0, null as number | null]
      let more = true
      let lines = 0
      for await (const line of linesOf(response.body)) {
        const value = JSON.parse(line)
        if (typeof value.rows === 'number') total = value.rows
        else if (typeof value.cursor === 'string') {
          await take([], { now: Date.now() * 1000, verdicts: [], ...value, changes })
          done += changes.length
          lines++
          onProgress('bootstrap', done, total)
          more = value.more
          changes = []
        } else if (typeof value.table === 'string') changes.push(value)
        else throw new NetworkFault(new Error('The stream has a line of another form.'))
      }
      // What ends before a page is whole brings nothing on: it is waited for.
      if (lines === 0) throw new NetworkFault(new Error('The stream ended before its first page.'))
      return more
    } catch (error) {
      await minded(error instanceof SyntaxError ? new NetworkFault(error) : error, undefined)
      return true
    }
  }

  const waits = () => database.read((tx) => nextBatch(tx, most))

  /** Goes on until nothing is left to send or to pull. */
  return async function round(isStopped: () => boolean): Promise<void> {
    let more = true
    resyncs = 0
    while (!isStopped()) {
      const { whole, scopes, cursor } = await database.read(readSync)
      const isBeginning = cursor === null || Object.values(scopes).some((scope) => !scope.whole)
      if (isBeginning && !whole) {
        // Writes go on meanwhile, once there is a cursor.
        const batch = cursor === null ? undefined : await waits()
        if (batch) await send(batch, 'push')
        more = options.stream ? await pullStream() : await pullPage()
        continue
      }
      const batch = await waits()
      if (!batch && !more) return
      more = await send(batch, 'sync')
      if (!more && !(await waits())) return
    }
  }
}

async function decodeVerdict(verdict: WireVerdict, decode: RoundOptions['decode']): Promise<WireVerdict> {
  return verdict.current ? { ...verdict, current: await decode(verdict.current) } : verdict
}

/** The lines of a body that end with a line feed: what is behind the last one was cut off. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      let read: Awaited<ReturnType<typeof reader.read>>
      try {
        read = await reader.read()
      } catch (error) {
        throw new NetworkFault(error)
      }
      if (read.done) return
      const lines = (rest + decoder.decode(read.value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') yield line
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
