import { keyFault } from './adopted.ts'
import { anotherVersion, decodeRow, type RowContext } from './decode-row.ts'
import type { Rejection } from './errors.ts'
import { isInexact } from './exact.ts'
import { limits } from './limits.ts'
import type { Op, Stamp } from './stamp.ts'
import type { Schema, Table } from './table.ts'
import { isName, utf8Length } from './text.ts'
import { isObject, quote, reject } from './untrusted.ts'

/** A change that has the form of the contract. */
export interface Change {
  /** Its place in the change set, which its verdict keeps. */
  readonly index: number
  /** As the change names it; the stage `authorize` decides. */
  readonly scope: string | undefined
  readonly table: Table
  readonly op: Op
  readonly id: string
  /**
   * Microseconds since 1970. Without a stamp, where that is allowed, one above all stamps, in the
   * order of the list.
   */
  readonly at: number
  /** Who wrote it, where that is not the client of the change set: in an import. */
  readonly by?: string | undefined
  /**
   * A value for each column of the table. `undefined`: a patch leaves the column as it is. In a
   * delete null, or the default of a column that not all versions of the app know.
   */
  readonly values: readonly unknown[]
  /**
   * A value is stored in another spelling than it was sent in, so the writer does not hold the row
   * as it is.
   */
  readonly respelled?: boolean
  /**
   * Of a patch that makes the row where none lives: the values of the put that it then is.
   */
  readonly created?: readonly unknown[]
  /** The stamp that the stored row must have for the change to apply. */
  readonly if?: Stamp
}

export interface DecodeContext extends RowContext {
  readonly schema: Schema
  /** The server's time in microseconds. */
  readonly now: number
  readonly clockDriftMsMax: number
  /** Whether a change can be beyond its limit at all: a small body spares the measuring. */
  readonly measure: boolean
}

/**
 * Above every stamp that a client may send, and still a safe integer with the index of a change
 * added.
 */
const stamplessAt = Number.MAX_SAFE_INTEGER - limits.changesMax

export const isStampless = ({ at }: Pick<Change, 'at'>): boolean => at >= stamplessAt

export type Decoded =
  | { readonly change: Change; readonly error?: never; readonly dropped?: never }
  | { readonly error: Rejection; readonly change?: never; readonly dropped?: never }
  /** Nothing is left of it but what is retired. */
  | { readonly dropped: Pick<Change, 'scope'>; readonly change?: never; readonly error?: never }

const members = new Set(['table', 'op', 'id', 'at', 'scope', 'row', 'create', 'if'])
const pulledMembers = new Set([...members, 'by', 'position'])

/**
 * Decodes one change. What is wrong with it is its own rejection and touches no other change (P12).
 */
export function decodeChange(input: unknown, index: number, context: DecodeContext): Decoded {
  if (!isObject(input)) return reject('invalid_change', 'A change must be an object.')
  if (
    context.measure &&
    mayBeLarge(input) &&
    !isDeeperThan(limits.jsonDepthMax + 2, input) &&
    utf8Length(JSON.stringify(input)) > limits.changeBytesMax
  ) {
    return reject('too_large', `A change may be ${limits.changeBytesMax} bytes of JSON at most.`)
  }
  for (const member of Object.keys(input)) {
    if (!(context.pulled ? pulledMembers : members).has(member)) {
      return reject(
        'invalid_change',
        `A change has no member ${quote(member)}. It has table, op, id, at, row, scope, create and if.`,
      )
    }
  }
  const { op, id, scope } = input
  const name = typeof input.table === 'string' ? input.table : ''
  const table = context.schema.tablesByName.get(name) ?? context.schema.aliases.get(name)
  if (!table && context.schema.retired.has(name) && (scope === undefined || typeof scope === 'string'))
    return { dropped: { scope } }
  if (!table) return reject('unknown_table', tableNames(context.schema), anotherVersion)
  const at = context.stampless && input.at === undefined ? stamplessAt + index : input.at
  if (op !== 'put' && op !== 'patch' && op !== 'delete')
    return reject('unknown_op', '"op" must be put, patch or delete.')
  if (!isName(id, limits.idLengthMax)) {
    return reject(
      'invalid_id',
      `"id" must be text of 1 to ${limits.idLengthMax} characters without control characters.`,
    )
  }
  const fault = table.adopted && keyFault(table.adopted, id)
  if (fault) return reject('invalid_id', `"id" of ${table.wire} must be ${fault}.`)
  const stampFault = Object.is(at, input.at) ? checkStamp(at, context) : undefined
  if (stampFault) return stampFault
  if (scope !== undefined && typeof scope !== 'string') return reject('invalid_change', '"scope" must be text.')
  const by = context.pulled ? input.by : undefined
  if (by !== undefined && !isClient(by)) return reject('invalid_stamp', `"by" must be ${clientRule}.`)
  if (isInexact(input.position)) return reject('invalid_change', '"position" must be an integer below 2^53.')
  const seen = decodeSeen(input.if)
  if (seen?.error) return seen
  const row = decodeRow(table, op, input, context)
  if (row.error) return row
  if (row.values.every((value) => value === undefined)) return { dropped: { scope } }
  const created = decodeCreated(table, op, input, context)
  if (created?.error) return created
  return {
    change: {
      ...{ index, scope, table, op, id, at: at as number, by, ...row },
      ...(created && { created: created.values }),
      ...(seen && { if: seen.stamp }),
    },
  }
}

/** The stamp of the row that the writer saw. */
function decodeSeen(
  seen: unknown,
): { readonly stamp: Stamp; readonly error?: never } | { readonly error: Rejection } | undefined {
  if (seen === undefined) return undefined
  const { at, by, ...rest } = isObject(seen) ? seen : {}
  if (!isSafeInteger(at) || !isClient(by) || Object.keys(rest).length > 0)
    return reject('invalid_change', '"if" must be {"at": …, "by": …}, the stamp of the row as it was pulled.')
  return { stamp: { at, by } }
}

/** A patch that may make its row is a whole put, but for columns with a default or null. */
function decodeCreated(table: Table, op: Op, input: Record<string, unknown>, context: DecodeContext) {
  const { create } = input
  if (create === undefined) return undefined
  if (typeof create !== 'boolean' || op !== 'patch')
    return reject('invalid_change', '"create" must be true or false, and belongs to a patch.')
  if (!create) return undefined
  const created = decodeRow(table, 'put', input, context)
  if (created.error?.code !== 'missing_column') return created
  const detail = `A patch with "create" must hold all that a new row needs. ${created.error.detail}`
  return { error: { ...created.error, detail } }
}

/**
 * Whether a change needs measuring at all: six bytes at the most for each unit of text, and a
 * little for each member.
 */
function mayBeLarge(input: Record<string, unknown>): boolean {
  return unitsIn(input, input.row) + (isObject(input.row) ? unitsIn(input.row) : 0) > limits.changeBytesMax
}

function unitsIn(members: Record<string, unknown>, row?: unknown): number {
  let bytes = 0
  // Of parsed JSON: all of its members are its own.
  for (const name in members) {
    const value = members[name]
    if (typeof value === 'string') bytes += value.length * 6
    else if (typeof value === 'object' && value !== null && value !== row) return Number.POSITIVE_INFINITY
    bytes += 200 + name.length * 6
  }
  return bytes
}

/**
 * Such a value is refused by the check of its column or for its name, and would overflow the stack
 * before.
 */
function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(levels - 1, item))
}

export const clientRule = `1 to ${limits.clientLengthMax} of the characters A-Z a-z 0-9 _ and -`

export function isClient(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
}

/**
 * Nothing is clamped: a clamp would lose edits silently. What lies before 2000 is a clock that fell
 * back, unless it is the time of some day since then in seconds or milliseconds: that is a mistake
 * of whoever wrote the client. A clock that fell back to 1970 passes through those numbers too, in
 * its first half hour and in its second and third week.
 */
export function checkStamp(
  at: unknown,
  { now, clockDriftMsMax }: Pick<DecodeContext, 'now' | 'clockDriftMsMax'>,
): { error: Rejection } | undefined {
  if (!isSafeInteger(at)) return reject('invalid_stamp', '"at" must be an integer of microseconds since 1970.')
  if (at < limits.stampMin) {
    const unit = unitOf(at, now)
    if (unit) return reject('invalid_stamp', `"at" must be in microseconds since 1970, and this is in ${unit}.`)
    return reject('clock_behind', '"at" lies before the year 2000. Set the clock by "now" and stamp the change again.')
  }
  if (at <= now + clockDriftMsMax * 1000) return undefined
  const bound = `${clockDriftMsMax / 1000} seconds`
  return reject(
    'clock_ahead',
    `"at" lies more than ${bound} ahead of the server. Set the clock by "now" and stamp the change again.`,
  )
}

const isSafeInteger = (value: unknown): value is number => Number.isSafeInteger(value)

/** In what else a number is a time from 2000 to a day from now. */
function unitOf(at: number, now: number): 'seconds' | 'milliseconds' | undefined {
  const isTime = (perUnit: number) => at * perUnit >= limits.stampMin && at * perUnit <= now + dayMicros
  return isTime(1_000_000) ? 'seconds' : isTime(1_000) ? 'milliseconds' : undefined
}

const dayMicros = 24 * 3_600_000_000

function tableNames({ tables }: Schema): string {
  if (tables.length === 0) return 'The server has no table yet.'
  return `"table" must be one of ${tables.map(({ wire }) => wire).join(', ')}.`
}
