import { decodeRow } from '../../model/decode-row.ts'
import { limits } from '../../model/limits.ts'
import { hasMerging, isCounter } from '../../model/merge.ts'
import type { Op } from '../../model/stamp.ts'
import type { Schema, Table } from '../../model/table.ts'
import { isName } from '../../model/text.ts'
import type { WireChange, WireRow } from '../../wire/typed.ts'
import { InvalidValueError, OutboxFullError, RowMissingError } from '../errors.ts'
import { type OutboxRecord, type RowKey, type RowRecord, rowKeyOf, type Transaction } from '../storage/storage.ts'
import { applyChange, tableOf } from './fold.ts'
import { changeBytesMax, outboxMax, transactionMax, utf8Bytes } from './limits.ts'
import { nextStamp, readClock, readSync, writeMeta } from './meta.ts'

/** One edit of a row, as the app makes it. */
export interface Edit {
  readonly table: string
  readonly scope: string
  readonly id: string
  readonly op: Op
  readonly row?: WireRow
}

export interface Edited {
  /** The numbers of the changes, in the order of the edits. */
  readonly seqs: readonly number[]
  readonly rows: readonly RowRecord[]
}

/**
 * The edit with its values in the spelling that is stored. Throws an `InvalidValueError` for what
 * the server would reject.
 */
export function checkEdit(schema: Schema, edit: Edit): Edit {
  const table = tableOf(schema, edit.table)
  if (!table) throw new TypeError(`The schema has no table ${edit.table}`)
  const idRule = `"id" must be text of 1 to ${limits.idLengthMax} characters without control characters.`
  if (!isName(edit.id, limits.idLengthMax)) throw new InvalidValueError({ code: 'invalid_id', detail: idRule })
  const input = edit.op === 'delete' ? {} : { row: withoutUndefined(edit.row) }
  const decoded = decodeRow(table, edit.op, input, {})
  if (decoded.error) throw new InvalidValueError(decoded.error)
  if (edit.op === 'delete') return edit
  const row: Record<string, unknown> = {}
  for (const [place, { wire }] of table.columns.entries())
    if (Object.hasOwn(input.row ?? {}, wire)) row[wire] = decoded.values[place]
  return { ...edit, row }
}

/** A member that is undefined is one that is not there. */
function withoutUndefined(row: WireRow = {}): WireRow {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))
}

/**
 * Stores edits: each as a change of the outbox, with a stamp that is drawn here (C4), and the rows
 * as they are with them. Throws before anything is stored.
 */
export async function storeEdits(
  tx: Transaction,
  schema: Schema,
  client: string,
  edits: readonly Edit[],
  atomic = false,
): Promise<Edited> {
  const [clock, sync] = [await readClock(tx), await readSync(tx)]
  const keys = edits.map(rowKeyOf)
  const rows = byKey(await tx.get('rows', keys))
  const waiting = groupByRow(await tx.pending(keys))
  const seqs: number[] = []
  const removed = new Set<number>()
  const stored = new Map<number, OutboxRecord>()
  let { last, seq, pending, bytes } = clock
  const transaction = seq + 1
  let own = 0
  for (const edit of edits) {
    const key = text(rowKeyOf(edit))
    const table = tableOf(schema, edit.table)
    const record = rows.get(key)
    if (edit.op === 'patch' && record?.row === undefined) throw new RowMissingError(edit.table)
    last = nextStamp({ last, offset: clock.offset })
    const change: WireChange & { scope: string } = {
      ...{ table: edit.table, op: edit.op, id: edit.id, at: last, scope: edit.scope },
      ...(edit.row && { row: edit.row }),
    }
    const made: OutboxRecord = {
      ...{ seq: ++seq, change, tx: transaction, bytes: 0 },
      ...(atomic && { atomic: true }),
      ...(record?.row && { before: record.row }),
      ...seenOf(edit, record),
    }
    const all = waiting.get(key) ?? []
    const { record: folded, replaced } = atomic ? { record: made, replaced: [] } : foldPending(table, all, made)
    const one = { ...folded, bytes: utf8Bytes(JSON.stringify(folded.change)) }
    if (one.bytes > changeBytesMax) throw new OutboxFullError(`A change has ${changeBytesMax} bytes at the most.`)
    for (const old of replaced) {
      pending--
      bytes -= old.bytes
      stored.delete(old.seq)
      removed.add(old.seq)
    }
    removed.delete(one.seq)
    pending++
    bytes += one.bytes
    own += one.bytes
    stored.set(one.seq, one)
    seqs.push(made.seq)
    const rest = all.filter(({ seq: other }) => other !== one.seq && !replaced.some((old) => old.seq === other))
    waiting.set(
      key,
      [...rest, one].sort((a, b) => a.seq - b.seq),
    )
    rows.set(key, withChange(table, record, { edit, change, client, gen: sync.scopes[edit.scope]?.gen ?? 1 }))
  }
  if (edits.length > transactionMax.changes || own > transactionMax.bytes)
    throw new OutboxFullError(
      `A transaction has ${transactionMax.changes} changes and ${transactionMax.bytes} bytes at the most.`,
    )
  if (pending > outboxMax.changes || bytes > outboxMax.bytes)
    throw new OutboxFullError(
      `${outboxMax.changes} changes or ${outboxMax.bytes} bytes wait for the server already: sync before more is written.`,
    )
  const touched = [...new Map(edits.map((edit) => [text(rowKeyOf(edit)), edit])).keys()]
  const changed = touched.map((key) => rows.get(key) as RowRecord)
  await tx.remove('outbox', [...removed])
  await tx.put('outbox', [...stored.values()])
  await tx.put('rows', changed)
  await writeMeta(tx, 'clock', { ...clock, last, seq, pending, bytes })
  const tables = [...new Set([...sync.tables, ...edits.map(({ table }) => table)])]
  if (tables.length > sync.tables.length) await writeMeta(tx, 'sync', { ...sync, tables })
  return { seqs, rows: changed }
}

const text = (key: RowKey) => key.join('\n')

function byKey(records: readonly (RowRecord | undefined)[]): Map<string, RowRecord> {
  return new Map(records.flatMap((record) => (record ? [[text(rowKeyOf(record)), record] as const] : [])))
}

export function groupByRow(records: readonly OutboxRecord[]): Map<string, OutboxRecord[]> {
  const groups = new Map<string, OutboxRecord[]>()
  for (const record of records) {
    const key = text(rowKeyOf(record.change))
    const group = groups.get(key)
    if (group) group.push(record)
    else groups.set(key, [record])
  }
  return groups
}

/** What the server had told of the columns that a patch sets, where changes lay on top. */
function seenOf({ op, row = {} }: Edit, record: RowRecord | undefined): { seen?: WireRow } {
  const told = record?.base?.row
  if (op !== 'patch' || !told) return {}
  return { seen: Object.fromEntries(Object.keys(row).map((name) => [name, told[name] ?? null])) }
}

/**
 * Folds a change into those of its row that were never sent (CLIENT 5): a put or delete takes the
 * place of all, a patch becomes part of an insert, and takes the place of patches all of whose
 * columns it sets. An atomic transaction is left as it is, and so is what adds or merges.
 */
function foldPending(
  table: Table | undefined,
  pending: readonly OutboxRecord[],
  made: OutboxRecord,
): { readonly record: OutboxRecord; readonly replaced: readonly OutboxRecord[] } {
  const alone = { record: made, replaced: [] }
  if (!table || hasMerging(table) || table.columns.some(isCounter)) return alone
  const lastFixed = pending.findLastIndex(({ sent, atomic }) => sent || atomic)
  const open = pending.slice(lastFixed + 1)
  const [first] = open
  if (!first) return alone
  const put = open.find(({ change }) => change.op === 'put')
  const { op, row = {} } = made.change
  if (op === 'patch' && put) {
    const change = { ...put.change, at: made.change.at, row: { ...put.change.row, ...row } }
    return { record: { ...put, change, covers: [...(put.covers ?? []), made.seq] }, replaced: [put] }
  }
  const isCovered = ({ change }: OutboxRecord) =>
    change.op === 'patch' && Object.keys(change.row ?? {}).every((name) => Object.hasOwn(row, name))
  const replaced = op === 'patch' ? open.filter(isCovered) : open
  const [oldest] = replaced
  if (!oldest) return alone
  const { before: _, seen: __, covers: ___, ...rest } = made
  const covers = replaced.flatMap(({ seq, covers: covered = [] }) => [seq, ...covered])
  const base = {
    ...(oldest.before && { before: oldest.before }),
    ...(op === 'patch' && made.seen && { seen: { ...made.seen, ...oldest.seen } }),
  }
  // What refers to a row that was made here is sent behind it.
  if (op === 'put')
    return {
      record: {
        ...{ ...rest, ...base, seq: oldest.seq },
        covers: [made.seq, ...covers.filter((seq) => seq !== oldest.seq)],
      },
      replaced,
    }
  return { record: { ...rest, ...base, covers }, replaced }
}

interface Change {
  readonly edit: Edit
  readonly change: WireChange
  readonly client: string
  readonly gen: number
}

function withChange(
  table: Table | undefined,
  record: RowRecord | undefined,
  { edit, change, client, gen }: Change,
): RowRecord {
  const row = applyChange(table, record?.row, change)
  const told = record && { ...(record.row && { row: record.row }), at: record.at, by: record.by }
  const base = record?.base !== undefined ? record.base : (told ?? null)
  return {
    ...{ table: edit.table, scope: edit.scope, id: edit.id },
    ...(row && { row }),
    ...{ at: change.at, by: client, gen: record?.gen ?? gen, base },
  }
}
