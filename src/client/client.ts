import type { PatchRow, PutRow, Schema, TableName } from '../model/table.ts'
import type { WireMe, WireRow } from '../wire/typed.ts'
import { ClosedError, ForbiddenScopeError, RowMissingError, UnsentError } from './errors.ts'
import { newId } from './ids.ts'
import { calibrate } from './local/calibrate.ts'
import { createConfirmations } from './local/confirm.ts'
import { checkEdit, type Edit, storeEdits } from './local/edit.ts'
import { outboxMax } from './local/limits.ts'
import { readClock, readSync } from './local/meta.ts'
import { createQuery, type PlainQuery } from './local/query.ts'
import { discardRejected, dismissNotice, restoreNotice, retryRejected } from './local/rejected.ts'
import { createRows, type Rows, toLocal } from './local/rows.ts'
import type { Taken } from './local/settle.ts'
import { lifecycleOfPage } from './loop/lifecycle.ts'
import { createLive } from './loop/live.ts'
import { createLoop, type LoopStatus } from './loop/loop.ts'
import { createRequests } from './loop/request.ts'
import { createRounds } from './loop/round.ts'
import { openDatabase } from './open.ts'
import { createReadable } from './readable.ts'
import type { NoticeRecord, RejectedRecord, RowRecord } from './storage/storage.ts'
import type { Client, ClientOptions, In, Notice, RejectedChange, Status, Table, Transaction, Written } from './types.ts'

/**
 * Opens the device's side of a user's data: rows, an outbox and a cursor in its own database, kept
 * in step with the server. Rejects with a `ForeignDatabaseError` where the database is of something
 * or somebody else.
 */
export async function openClient<S extends Schema>(options: ClientOptions<S>): Promise<Client<S>> {
  const { schema, url, storage, scope: home, token, lifecycle = lifecycleOfPage(), codec } = options
  const { database, self } = await openDatabase(storage, schema, home)
  const rows = new Map<string, Rows>(schema.tables.map((table) => [table.wire, createRows(database, table)]))
  const confirmations = createConfirmations(database)
  const loopStatus = createReadable<LoopStatus>({ state: 'idle', phase: null, retryAt: null, error: null })
  const counts = createReadable<Counts>(await database.read(readCounts))
  const rejected = createReadable<readonly RejectedChange<S>[]>([])
  const notices = createReadable<readonly Notice<S>[]>([])
  const isLive = createReadable(false)
  const progress = createReadable<Status['progress']>(null)
  let writable: ReadonlyMap<string, 'read' | 'write'> | undefined
  let isClosed = false

  const requests = createRequests({
    ...{ url, token: (why) => token(why), fetch: options.fetch ?? ((...args) => fetch(...args)) },
    onToken: (me, middleMs) => takeMe(me, middleMs),
  })
  async function takeMe(me: WireMe | undefined, middleMs: number): Promise<void> {
    if (!me) return
    await database.write((tx) => calibrate(tx, me, middleMs))
    writable = new Map(me.scopes.map(({ id, access }) => [id, access]))
  }
  const round = createRounds({
    ...{ schema, client: self.client, database, requests },
    stream: options.stream ?? (typeof Response !== 'undefined' && 'body' in Response.prototype),
    encode: async (change) => (codec ? ((await codec.encode(change)) as typeof change) : change),
    decode: async (change) =>
      codec && change.op === 'put' ? ({ ...change, ...(await codec.decode(change)) } as typeof change) : change,
    onTaken: took,
    onProgress(phase, done, total) {
      loopStatus.set({ ...loopStatus.get(), phase })
      progress.set(done === undefined ? null : { done, total: total ?? null })
    },
  })
  const loop = createLoop({
    status: loopStatus,
    askAgain: requests.askAgain,
    async round(isStopped) {
      try {
        await round(isStopped)
        live?.open()
      } finally {
        progress.set(null)
        if (!isClosed) await recount()
      }
    },
  })

  const Socket = options.WebSocket === undefined ? globalThis.WebSocket : options.WebSocket
  const live =
    Socket &&
    createLive({
      ...{ url, WebSocket: Socket, onLive: (is) => isLive.set(is), onPoke: () => loop.poked() },
      token: async (refused) => {
        return refused ? requests.renew() : requests.current()
      },
    })

  const status = createReadable<Status>(statusOf())
  function statusOf(): Status {
    const { state, phase, retryAt, error } = loopStatus.get()
    const { pending, isWhole, lastSyncedAt } = counts.get()
    return {
      ...{ state, phase, retryAt, error, pending, lastSyncedAt },
      ...{ rejected: rejected.get().length, notices: notices.get().length },
      upToDate: isWhole && pending === 0 && state === 'idle',
      live: isLive.get(),
      progress: progress.get(),
    }
  }
  const tell = () => {
    const next = statusOf()
    if (JSON.stringify(next) !== JSON.stringify(status.get())) status.set(next)
  }
  for (const one of [loopStatus, counts, rejected, notices, isLive, progress]) one.subscribe(tell)

  async function recount(): Promise<void> {
    counts.set(await database.read(readCounts))
  }
  async function readLists(): Promise<void> {
    const [refused, noticed] = await database.read(async (tx) => [await tx.list('rejected'), await tx.list('notices')])
    rejected.set(refused.map(toRejected<S>))
    notices.set(noticed.map(toNotice<S>))
  }
  await readLists()

  /** What was stored, to all who look at it. */
  function changed(records: readonly RowRecord[] | 'all'): void {
    for (const one of rows.values()) one.changed(records)
  }
  async function took(taken: Taken): Promise<void> {
    changed(taken.rows)
    confirmations.settle(taken.settled)
    await recount()
    if (taken.settled.length > 0 || taken.rows === 'all') await readLists()
    if (counts.get().isWhole) markFirst()
  }

  let markFirst = () => {}
  const firstSync = counts.get().isWhole
    ? Promise.resolve()
    : new Promise<void>((resolve) => {
        markFirst = resolve
      })

  function checkOpen(): void {
    if (isClosed) throw new ClosedError()
  }

  async function store(edits: readonly Edit[], atomic = false): Promise<readonly number[]> {
    checkOpen()
    for (const { scope } of edits) if (writable && writable.get(scope) !== 'write') throw new ForbiddenScopeError()
    if (atomic && new Set(edits.map(({ scope }) => scope)).size > 1)
      throw new TypeError('An atomic transaction is of one scope: the server applies it whole there.')
    if (edits.length === 0) return []
    const edited = await database.write((tx) => storeEdits(tx, schema, self.client, edits, atomic))
    changed(edited.rows)
    await recount()
    loop.wrote()
    return edited.seqs
  }

  const editOf = (table: string, op: Edit['op'], id: string, row: WireRow | undefined, { scope = home }: In = {}) =>
    checkEdit(schema, { table, op, id, scope, ...(row && { row }) })

  function writerOf<T extends TableName<S>>(table: T) {
    const write = async (edit: Edit): Promise<Written> => {
      const seqs = await store([edit])
      return { id: edit.id, confirmed: () => confirmations.of(seqs) }
    }
    return {
      async insert({ id = newId(), ...row }: PutRow<S, T> & { readonly id?: string }, where?: In) {
        return write(editOf(table, 'put', id, row, where))
      },
      update: async (id: string, row: PatchRow<S, T>, where?: In) => write(editOf(table, 'patch', id, row, where)),
      delete: async (id: string, where?: In) => write(editOf(table, 'delete', id, undefined, where)),
    }
  }

  const tables = Object.fromEntries(
    schema.tables.map((table): [string, Table<S, TableName<S>>] => {
      const name = table.wire as TableName<S>
      const ofTable = rows.get(name) as Rows
      const keyOf = (id: string, { scope = home }: In = {}) => [name, scope, id] as const
      return [
        name,
        {
          ...writerOf(name),
          async get(id, where) {
            checkOpen()
            const [record] = await database.read((tx) => tx.get('rows', [keyOf(id, where)]))
            return record && (toLocal(table, record) as never)
          },
          query: (query = {}) => createQuery(ofTable, query as PlainQuery) as never,
          async state(id, where) {
            checkOpen()
            const key = keyOf(id, where)
            return database.read(async (tx) => {
              if ((await tx.pending([key])).length > 0) return 'pending'
              const refused = await tx.list('rejected')
              const isIt = ({ change }: RejectedRecord) =>
                change.table === name && change.scope === key[1] && change.id === id
              if (refused.some(isIt)) return 'rejected'
              const [record] = await tx.get('rows', [key])
              return record?.row ? 'synced' : undefined
            })
          },
          onChange: (listener) => ofTable.listen(listener as never),
        },
      ]
    }),
  )

  const client: Client<S> = {
    tables: tables as unknown as Client<S>['tables'],
    async transaction(work, { atomic = false } = {}) {
      checkOpen()
      const edits: Edit[] = []
      let isDone = false
      let seqs: Promise<readonly number[]> = Promise.resolve([])
      const written = new Map<string, boolean>()
      const add = async (edit: Edit): Promise<Written> => {
        if (isDone) throw new TypeError('The transaction has ended.')
        const key = `${edit.table}\n${edit.scope}\n${edit.id}`
        if (edit.op === 'patch') {
          const isThere = written.get(key) ?? (await isLiving(edit))
          if (!isThere) throw new RowMissingError(edit.table)
        }
        written.set(key, edit.op !== 'delete')
        const place = edits.push(edit) - 1
        return { id: edit.id, confirmed: async () => confirmations.of([(await seqs)[place] as number]) }
      }
      const isLiving = async ({ table, scope, id }: Edit) =>
        (await database.read((tx) => tx.get('rows', [[table, scope, id]])))[0]?.row !== undefined
      const writers = Object.fromEntries(
        schema.tables.map(({ wire }) => [
          wire,
          {
            insert: async ({ id = newId(), ...row }: WireRow & { id?: string }, where?: In) =>
              add(editOf(wire, 'put', id, row, where)),
            update: async (id: string, row: WireRow, where?: In) => add(editOf(wire, 'patch', id, row, where)),
            delete: async (id: string, where?: In) => add(editOf(wire, 'delete', id, undefined, where)),
          },
        ]),
      )
      const result = await work(writers as unknown as Transaction<S>)
      isDone = true
      seqs = store(edits, atomic)
      const all = await seqs
      return { result, confirmed: () => confirmations.of(all) }
    },
    status,
    firstSync,
    rejected: {
      ...rejected,
      async retry(id, edit) {
        checkOpen()
        const { key, edited } = await database.write((tx) => retryRejected(tx, schema, self.client, id, edit))
        changed(edited.rows)
        await Promise.all([recount(), readLists()])
        loop.wrote()
        return { id: key, confirmed: () => confirmations.of(edited.seqs) }
      },
      async discard(id) {
        checkOpen()
        await database.write((tx) => discardRejected(tx, id))
        await readLists()
      },
    },
    notices: {
      ...notices,
      async restore(id) {
        checkOpen()
        const { key, edited } = await database.write((tx) => restoreNotice(tx, schema, self.client, id))
        changed(edited.rows)
        await Promise.all([recount(), readLists()])
        loop.wrote()
        return { id: key, confirmed: () => confirmations.of(edited.seqs) }
      },
      async dismiss(id) {
        checkOpen()
        await database.write((tx) => dismissNotice(tx, id))
        await readLists()
      },
    },
    async sync({ timeoutMs } = {}) {
      checkOpen()
      const rounds = loop.go()
      if (timeoutMs === undefined) await rounds
      else {
        let timer: ReturnType<typeof setTimeout> | undefined
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, timeoutMs)
        })
        await Promise.race([rounds, late])
        clearTimeout(timer)
      }
      return status.get()
    },
    pause() {
      loop.pause()
      live?.close()
    },
    resume() {
      loop.resume()
    },
    async unsent() {
      checkOpen()
      const waiting = await database.read((tx) => tx.list('outbox', { limit: outboxMax.changes }))
      return waiting.map(({ change }) => `${JSON.stringify({ ...change, by: self.client })}\n`).join('')
    },
    async close() {
      if (isClosed) return
      isClosed = true
      for (const stop of stops) stop()
      live?.close()
      await loop.close()
      await database.close()
    },
    async destroy({ discard = false } = {}) {
      checkOpen()
      const { pending } = await database.read(readCounts)
      const count = pending + rejected.get().length
      if (count > 0 && !discard) throw new UnsentError(count)
      isClosed = true
      for (const stop of stops) stop()
      live?.close()
      await loop.close()
      await database.destroy()
    },
  }
  const stops = [lifecycle.onForeground(() => void loop.go()), lifecycle.onOnline((online) => loop.online(online))]
  void loop.go()
  return client
}

interface Counts {
  readonly pending: number
  readonly isWhole: boolean
  readonly lastSyncedAt: number | null
}

async function readCounts(tx: Parameters<typeof readClock>[0]): Promise<Counts> {
  const [{ pending }, { whole, lastSyncedAt }] = [await readClock(tx), await readSync(tx)]
  return { pending, isWhole: whole, lastSyncedAt }
}

function toRejected<S extends Schema>({ seq, change, error, before, since }: RejectedRecord): RejectedChange<S> {
  const { table, scope, id: rowId, op, row } = change
  return { id: seq, table: table as TableName<S>, scope, rowId, op, row, error, before, since }
}

function toNotice<S extends Schema>({ seq, id: rowId, table, before: _, ...rest }: NoticeRecord): Notice<S> {
  return { ...rest, id: seq, table: table as TableName<S>, rowId }
}
