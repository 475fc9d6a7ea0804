import { type Rejection, rejection } from '../../model/errors.ts'
import { hasRules } from '../../model/merge.ts'
import { sameText } from '../../model/same-content.ts'
import type { Schema } from '../../model/table.ts'
import type { WireAnswer, WireRow, WireStored, WireVerdict } from '../../wire/typed.ts'
import {
  type NoticeRecord,
  type OutboxRecord,
  type RejectedRecord,
  type RowKey,
  type RowRecord,
  rowKeyOf,
  type Told,
  type Transaction,
} from '../storage/storage.ts'
import { groupByRow } from './edit.ts'
import { applyChange, foldRow, tableOf } from './fold.ts'
import { noticesMax } from './limits.ts'
import { type Clock, nextStamp, readClock, readSync, type Sync, writeMeta } from './meta.ts'

/** What became of a change, by its number. */
export type Settled = { readonly seq: number } & (
  | { readonly outcome: 'applied' | 'stale' }
  | { readonly error: Rejection }
)

/** What an answer changed. */
export interface Taken {
  /** The rows as they are now. `'all'`: too much has changed to name it. */
  readonly rows: readonly RowRecord[] | 'all'
  readonly settled: readonly Settled[]
  /** Changes go out again at once, smaller: the server has taken none of them as they were. */
  readonly sendFewer: boolean
  /** More is to be pulled. */
  readonly more: boolean
}

export interface Answered {
  readonly schema: Schema
  readonly client: string
  /** The changes that were sent, in the order of the verdicts. */
  readonly sent: readonly OutboxRecord[]
  readonly verdicts: readonly WireVerdict[]
  readonly page?: Pick<WireAnswer, 'changes' | 'cursor' | 'more' | 'removed_scopes'> | undefined
  /** The server's time, in microseconds. */
  readonly now: number
}

const stampAheadMax = 5 * 60_000_000

/** Everything that one answer changes, read and written in one transaction (C3). */
class Taking {
  readonly told = new Map<string, { key: RowKey; told: Told; isPage: boolean }>()
  readonly put = new Map<number, OutboxRecord>()
  readonly removed = new Map<number, OutboxRecord>()
  readonly rejected: RejectedRecord[] = []
  readonly notices: NoticeRecord[] = []
  readonly settled: Settled[] = []
  readonly touched = new Map<string, RowKey>()
  clock: Clock
  sync: Sync
  seen: number
  /** Beyond it no clock is right. */
  readonly seenMax: number
  sendFewer = false

  constructor(clock: Clock, sync: Sync, now: number) {
    this.seenMax = now + stampAheadMax
    this.clock = clock
    this.sync = sync
    this.seen = clock.seen
  }

  tell(stored: WireStored, isPage: boolean): void {
    const key = rowKeyOf(stored)
    const told = { at: stored.at, by: stored.by, ...(stored.row && stored.op === 'put' && { row: stored.row }) }
    const text = key.join('\n')
    const before = this.told.get(text)
    // Of what a page and a verdict tell the later stands.
    if (before && before.told.at > told.at) return
    this.told.set(text, { key, told, isPage })
    this.touched.set(text, key)
    if (stored.at <= this.seenMax) this.seen = Math.max(this.seen, stored.at)
  }

  drop(record: OutboxRecord): void {
    this.removed.set(record.seq, record)
    this.put.delete(record.seq)
    const key = rowKeyOf(record.change)
    this.touched.set(key.join('\n'), key)
  }

  settle(record: OutboxRecord, what: { outcome: 'applied' | 'stale' } | { error: Rejection }): void {
    for (const seq of [record.seq, ...(record.covers ?? [])]) this.settled.push({ seq, ...what })
  }

  reject(record: OutboxRecord, error: Rejection): void {
    this.drop(record)
    this.settle(record, { error })
    const { seq, change, before, covers } = record
    this.rejected.push({
      ...{ seq, change, error, since: Date.now() },
      ...(before && { before }),
      ...(covers && { covers }),
    })
  }

  notice(kind: NoticeRecord['kind'], record: OutboxRecord, mine: WireRow | null, theirs: WireRow | null): void {
    const { table, scope, id } = record.change
    this.clock = { ...this.clock, seq: this.clock.seq + 1 }
    this.notices.push({
      ...{ seq: this.clock.seq, kind, table, scope, id, mine, theirs, since: Date.now() },
      ...(record.before && { before: record.before }),
    })
  }
}

/** Takes an answer: verdicts, rows, removed scopes, cursor and clock (C3). */
export async function takeAnswer(tx: Transaction, answered: Answered): Promise<Taken> {
  const { verdicts, page, now } = answered
  const taking = new Taking(await readClock(tx), await readSync(tx), now)
  const held = await tx.get(
    'outbox',
    answered.sent.map(({ seq }) => seq),
  )
  // 1 Each change has its verdict (C2).
  const rowsOfSent = await rowsByKey(
    tx,
    answered.sent.map(({ change }) => rowKeyOf(change)),
  )
  for (const [place, verdict] of verdicts.entries()) {
    const record = held[place]
    if (record) takeVerdict(taking, answered, record, verdict, rowsOfSent.get(rowKeyOf(record.change).join('\n')))
  }
  await restamp(tx, taking, now)
  // 2 What others wrote.
  for (const change of page?.changes ?? []) taking.tell(change, true)
  // 3 The rows, with what waits on top (C6).
  nameScopes(taking)
  const rows = await storeTold(tx, taking, answered)
  // 4 The scopes that the token no longer grants.
  const gone = page?.removed_scopes ?? []
  for (const scope of gone) await removeScope(tx, taking, scope)
  // 5 How far that is.
  const swept = page ? await endPage(tx, taking, answered, page) : false
  await writeOutbox(tx, taking)
  return {
    rows: gone.length > 0 || swept ? 'all' : rows,
    settled: taking.settled,
    sendFewer: taking.sendFewer,
    more: page?.more ?? false,
  }
}

async function rowsByKey(tx: Transaction, keys: readonly RowKey[]): Promise<Map<string, RowRecord>> {
  const found = await tx.get('rows', keys)
  return new Map(found.flatMap((row) => (row ? [[rowKeyOf(row).join('\n'), row] as const] : [])))
}

function takeVerdict(
  taking: Taking,
  { schema, client, page }: Answered,
  record: OutboxRecord,
  verdict: WireVerdict,
  row: RowRecord | undefined,
): void {
  const { change } = record
  const table = tableOf(schema, change.table)
  // A sync leaves out of its page what it wrote itself.
  const isPage = page !== undefined
  const current = 'current' in verdict ? verdict.current : undefined
  // A rejection may bring another row: the one that holds the key.
  if (current && (verdict.verdict !== 'rejected' || current.id === change.id)) taking.tell(current, isPage)
  if (verdict.verdict === 'rejected') {
    takeRejection(taking, record, verdict.error, current?.row ?? null)
    return
  }
  if (verdict.verdict !== 'stale') {
    if (!current) {
      // What was sent is what is stored: a patch and all that merges bring their row.
      const told = taking.told.get(rowKeyOf(change).join('\n'))?.told ?? row?.base ?? undefined
      const stored = applyChange(table, told?.row, change)
      const { table: name, scope, id, at } = change
      const op = stored ? ('put' as const) : ('delete' as const)
      taking.tell(
        { ...{ table: name, scope, id, at, op, by: client, position: 0 }, ...(stored && { row: stored }) },
        isPage,
      )
    }
    const lost = verdict.verdict === 'applied' ? (verdict.lost ?? []) : []
    if (lost.length > 0 && current) noteLost(taking, record, lost, current.row ?? null)
    taking.drop(record)
    taking.settle(record, { outcome: record.lost || lost.length > 0 ? 'stale' : 'applied' })
    return
  }
  const theirs = current?.row ?? null
  if (change.op === 'patch' && theirs && table && !hasRules(table)) {
    rebase(taking, record, theirs)
    return
  }
  const differs = change.op === 'delete' ? theirs !== null : isOther(change.row ?? {}, theirs)
  if (differs) taking.notice('stale', record, change.row ?? null, theirs)
  taking.drop(record)
  taking.settle(record, { outcome: 'stale' })
}

const isOther = (mine: WireRow, theirs: WireRow | null) =>
  !theirs || Object.entries(mine).some(([name, value]) => !sameText(value, theirs[name]))

function noteLost(taking: Taking, record: OutboxRecord, lost: readonly string[], theirs: WireRow | null): void {
  const sent = record.change.row ?? {}
  const mine = Object.fromEntries(lost.filter((name) => name in sent).map((name) => [name, sent[name]]))
  if (isOther(mine, theirs)) taking.notice('stale', record, mine, theirs)
}

/**
 * Of a patch that another writer's row is later than, the columns that this writer did not change
 * go out again with a new stamp, so that edits of different columns both survive. Of the others a
 * notice tells.
 */
function rebase(taking: Taking, record: OutboxRecord, theirs: WireRow): void {
  const { change, before = {}, seen = {} } = record
  const sent = Object.entries(change.row ?? {})
  const isSame = ([name, value]: [string, unknown]) => sameText(value, theirs[name])
  // What is there is what the server had told, or what was seen here when it was written.
  const isFree = ([name]: [string, unknown]) =>
    [seen, before].some((known) => Object.hasOwn(known, name) && sameText(known[name], theirs[name] ?? null))
  const again = sent.filter((one) => !isSame(one) && isFree(one))
  const lost = sent.filter((one) => !isSame(one) && !isFree(one))
  if (lost.length > 0) taking.notice('stale', record, Object.fromEntries(lost), theirs)
  if (again.length === 0) {
    taking.drop(record)
    taking.settle(record, { outcome: 'stale' })
    return
  }
  const last = nextStamp({ last: Math.max(taking.clock.last, taking.seen), offset: taking.clock.offset })
  taking.clock = { ...taking.clock, last }
  const { seen: _, sent: __, tries: ___, ...rest } = record
  const key = rowKeyOf(change)
  taking.touched.set(key.join('\n'), key)
  taking.put.set(record.seq, {
    ...rest,
    change: { ...change, at: last, row: Object.fromEntries(again) },
    before: theirs,
    ...((lost.length > 0 || record.lost) && { lost: true }),
  })
}

/** Seconds after which what the server would take later is sent again. */
const laterMs = 10_000

function takeRejection(taking: Taking, record: OutboxRecord, error: Rejection, theirs: WireRow | null): void {
  const { change } = record
  const isClock = error.code === 'clock_ahead' || error.code === 'clock_behind'
  if (isClock && !record.restamped) {
    const { sent: _, ...rest } = record
    taking.put.set(record.seq, { ...rest, restamped: true })
    return
  }
  if (error.retryable === true) {
    // The server has not taken it: it stays as it is, and goes out in a smaller set, or later.
    if (error.code === 'send_fewer') taking.sendFewer = true
    else taking.put.set(record.seq, { ...record, after: Date.now() + laterMs })
    return
  }
  if (error.code === 'row_missing') taking.notice('row-deleted', record, change.row ?? null, theirs)
  taking.reject(record, error)
}

/**
 * Where a change had a wrong clock: sets it by the server's, and gives new stamps to all that was
 * never taken, in its order. A stamp that was sent stays, and no other change has it (C4).
 */
async function restamp(tx: Transaction, taking: Taking, now: number): Promise<void> {
  if (![...taking.put.values()].some(({ restamped, sent }) => restamped && !sent)) return
  const all = (await tx.list('outbox'))
    .filter(({ seq }) => !taking.removed.has(seq))
    .map((record) => taking.put.get(record.seq) ?? record)
  const taken = new Set(all.filter(({ sent }) => sent).map(({ change }) => change.at))
  const offset = Math.round(now / 1000 - Date.now())
  let last = taking.seen
  for (const record of all) {
    if (record.sent) continue
    last = nextStamp({ last, offset })
    while (taken.has(last)) last++
    const key = rowKeyOf(record.change)
    taking.touched.set(key.join('\n'), key)
    taking.put.set(record.seq, { ...record, change: { ...record.change, at: last } })
  }
  taking.clock = { ...taking.clock, offset, last }
}

/** A scope of which something is heard for the first time has not been pulled whole. */
function nameScopes(taking: Taking): void {
  const scopes: Record<string, { gen: number; whole: boolean }> = { ...taking.sync.scopes }
  for (const [, scope] of taking.touched.values()) scopes[scope] ??= { gen: 1, whole: false }
  taking.sync = { ...taking.sync, scopes }
}

/** Sets the base of each row that was told of, and the row by what waits on top of it. */
async function storeTold(tx: Transaction, taking: Taking, { schema, client }: Answered): Promise<RowRecord[]> {
  const keys = [...taking.touched.values()]
  if (keys.length === 0) return []
  const rows = await rowsByKey(tx, keys)
  const waiting = await waitingOn(tx, taking, keys)
  const kept: RowRecord[] = []
  const gone: RowRecord[] = []
  for (const key of keys) {
    const [table, scope, id] = key
    const text = key.join('\n')
    const state = taking.sync.scopes[scope] ?? { gen: 1, whole: false }
    const record = rows.get(text)
    const news = taking.told.get(text)
    // Before its bootstrap has ended only pages say which rows a scope has.
    const genOfNews = news && (news.isPage || state.whole ? state.gen : state.gen - 1)
    const old = record && (record.base !== undefined ? record.base : recordTold(record))
    const isLater = news && (!old || news.told.at >= old.at || (record && record.gen < (genOfNews ?? 0)))
    const base = isLater ? news.told : (old ?? null)
    const gen = Math.max(genOfNews ?? 0, record?.gen ?? (genOfNews === undefined ? state.gen : 0))
    const changes = (waiting.get(text) ?? []).map(({ change }) => change)
    const last = changes.at(-1)
    if (last) {
      const row = foldRow(tableOf(schema, table), base, changes, client)
      kept.push({ ...{ table, scope, id, gen, at: last.at, by: client, base }, ...(row && { row }) })
    } else if (base && (base.row || !state.whole)) {
      // What is deleted is known while older pages of its scope may still come.
      kept.push({ ...{ table, scope, id, gen }, ...base })
    } else gone.push({ ...{ table, scope, id, gen, at: base?.at ?? 0, by: base?.by ?? client } })
  }
  await tx.remove('rows', gone.map(rowKeyOf))
  await tx.put('rows', kept)
  const tables = [...new Set([...taking.sync.tables, ...kept.map(({ table }) => table)])]
  if (tables.length > taking.sync.tables.length) taking.sync = { ...taking.sync, tables }
  return [...kept, ...gone]
}

/** The changes that wait on these rows, as this answer leaves them. */
async function waitingOn(
  tx: Transaction,
  { clock, put, removed }: Taking,
  keys: readonly RowKey[],
): Promise<Map<string, OutboxRecord[]>> {
  if (clock.pending === 0) return new Map()
  const pending = await tx.pending(keys)
  return groupByRow(pending.filter(({ seq }) => !removed.has(seq)).map((record) => put.get(record.seq) ?? record))
}

const recordTold = ({ row, at, by }: RowRecord): Told => ({ ...(row && { row }), at, by })

/** The rows of a scope go; its changes come back to the app. */
async function removeScope(tx: Transaction, taking: Taking, scope: string): Promise<void> {
  for (const table of taking.sync.tables) {
    const rows = await tx.list('rows', { prefix: [table, scope] })
    await tx.remove('rows', rows.map(rowKeyOf))
  }
  const all = await tx.list('outbox')
  for (const record of all) {
    if (record.change.scope !== scope || taking.removed.has(record.seq)) continue
    taking.notice('scope-removed', record, record.change.row ?? null, null)
    taking.reject(record, scopeRemoved)
  }
  const { [scope]: _, ...scopes } = taking.sync.scopes
  taking.sync = { ...taking.sync, scopes }
}

const scopeRemoved = rejection('forbidden_scope', 'The token no longer grants this scope.', 'with_another_token')

/** Keeps the cursor, and where nothing is left to pull, removes what no bootstrap brought again. */
async function endPage(
  tx: Transaction,
  taking: Taking,
  answered: Answered,
  { cursor, more }: NonNullable<Answered['page']>,
): Promise<boolean> {
  const scopes: Record<string, { gen: number; whole: boolean }> = { ...taking.sync.scopes }
  let swept = false
  if (!more) {
    for (const [scope, state] of Object.entries(scopes)) {
      if (state.whole) continue
      swept = (await sweep(tx, taking, answered, scope, state.gen)) || swept
      scopes[scope] = { ...state, whole: true }
    }
  }
  const isWhole = more === false
  taking.sync = {
    ...taking.sync,
    scopes,
    cursor: cursor ?? taking.sync.cursor,
    whole: isWhole,
    ...(isWhole && { lastSyncedAt: Date.now() }),
  }
  return swept
}

/** Removes the rows of older bootstraps of a scope, and the deleted ones. */
async function sweep(
  tx: Transaction,
  taking: Taking,
  { schema, client }: Answered,
  scope: string,
  gen: number,
): Promise<boolean> {
  let some = false
  for (const table of taking.sync.tables) {
    const rows = await tx.list('rows', { prefix: [table, scope] })
    const gone = rows.filter(({ base, row, gen: own }) => base === undefined && (own < gen || !row))
    const emptied = rows.filter(({ base, gen: own }) => base && own < gen)
    const waiting = await waitingOn(tx, taking, emptied.map(rowKeyOf))
    await tx.remove('rows', gone.map(rowKeyOf))
    await tx.put(
      'rows',
      emptied.map(({ row: _, ...record }) => {
        const changes = waiting.get(rowKeyOf(record).join('\n')) ?? []
        const row = foldRow(
          tableOf(schema, table),
          null,
          changes.map(({ change }) => change),
          client,
        )
        return { ...record, gen, base: null, ...(row && { row }) }
      }),
    )
    some ||= gone.length + emptied.length > 0
  }
  return some
}

async function writeOutbox(tx: Transaction, taking: Taking): Promise<void> {
  const { removed, put, rejected, notices } = taking
  await tx.remove('outbox', [...removed.keys()])
  await tx.put('outbox', [...put.values()])
  await tx.put('rejected', rejected)
  await tx.put('notices', notices)
  if (notices.length > 0) {
    const all = await tx.list('notices')
    const over = all.slice(0, Math.max(0, all.length - noticesMax))
    await tx.remove(
      'notices',
      over.map(({ seq }) => seq),
    )
  }
  const { clock } = taking
  const bytes = [...removed.values()].reduce((sum, one) => sum + one.bytes, 0)
  await writeMeta(tx, 'clock', {
    ...clock,
    last: Math.max(clock.last, taking.seen),
    seen: taking.seen,
    pending: Math.max(0, clock.pending - removed.size),
    bytes: Math.max(0, clock.bytes - bytes),
  })
  await writeMeta(tx, 'sync', taking.sync)
}

/** A cursor of another history (410): its scopes begin anew, under what is held of them. */
export async function beginAnew(
  tx: Transaction,
  scopes: readonly string[] | 'all',
  cursor: string | null,
): Promise<void> {
  const sync = await readSync(tx)
  const named = scopes === 'all' ? Object.keys(sync.scopes) : scopes
  const anew = Object.fromEntries(
    named.map((scope) => [scope, { gen: (sync.scopes[scope]?.gen ?? 1) + 1, whole: false }]),
  )
  await writeMeta(tx, 'sync', { ...sync, scopes: { ...sync.scopes, ...anew }, cursor, whole: false })
}
