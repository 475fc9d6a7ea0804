import type { Change } from '../../model/change.ts'
import { type Rejection, rejection } from '../../model/errors.ts'
import { groupBy } from '../../model/group-by.ts'
import { uniqueIndex } from '../../model/index-name.ts'
import { limits } from '../../model/limits.ts'
import { keyTaken, refusal, rowChanged, rowMissing } from '../../model/stamp.ts'
import { markerIn } from '../../sql/markers.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { isTooSlow } from '../../stores/fault.ts'
import { isNotTried, type Store, StoreFault } from '../../stores/store.ts'
import type { Allowance } from './allowance.ts'
import { type Bisected, bisect } from './bisect.ts'
import { coalesce } from './coalesce.ts'
import { planMissing } from './plan.ts'
import { planTrial } from './plan-rehearsal.ts'
import type { Rehearse } from './rehearse.ts'

/** Finds which changes of a scope a database refuses, without keeping anything. */
export interface Refusals {
  /**
   * Of changes that may be applied without each other. Throws the fault where all of them fail by
   * one of the schema.
   */
  find(scope: string, changes: readonly Change[], fault?: StoreFault): Promise<Bisected>
  /**
   * All of a change set of which none is applied without the others: patches without a row among
   * them.
   */
  findAtomic(scope: string, changes: readonly Change[], fault?: StoreFault): Promise<Bisected>
  /** Of changes that the database refuses again and again, and takes whenever they are tried. */
  giveUp(changes: readonly Change[], fault: StoreFault): Bisected['rejected']
}

export interface RefusalsOptions {
  readonly sql: Sql
  readonly batch: Store['batch']
  readonly rehearse: Rehearse
  readonly client: string
  readonly incarnation: () => string
  /** The server's time in microseconds. */
  readonly receivedAt: number
  /** Of the whole request. */
  readonly allowance: Allowance
}

export function createRefusals(options: RefusalsOptions): Refusals {
  const { sql, batch, rehearse, client, incarnation, receivedAt, allowance } = options
  async function find(scope: string, changes: readonly Change[], fault?: StoreFault, atomic = false) {
    let passed = false
    return bisect(
      changes,
      async (parts, immediate) => {
        const plan = planTrial(sql, scope, parts, { client, incarnation: incarnation(), receivedAt, atomic, immediate })
        const rehearsed = await rehearse(scope, plan).catch((error: unknown) => {
          // Fewer changes take less. One alone takes what it takes.
          if (isTooSlow(error) && changes.length > 1) return undefined
          throw isRefusal(error) ? new StoreFault('broken', error) : error
        })
        if (!rehearsed) return undefined
        const { faults, commit } = rehearsed
        passed ||= faults.some((one) => one === undefined)
        for (const one of faults) if (one && isPassing(one)) throw one
        // What fails for every part, by what no row should bring about, is the schema's or the
        // server's.
        const isSame = fault && isSuspect(fault) && faults.every((one) => one?.code === fault.code)
        const suspect = isSame ? fault : faults.find((one) => one && isSuspect(one))
        if (suspect && !passed) throw fault ?? suspect
        return { errors: faults.map((one) => one && rejectionOf(sql, one)), commits: commit === undefined }
      },
      sendFewer,
      allowance,
    )
  }

  async function missingOf(scope: string, changes: readonly Change[]): Promise<Map<number, Rejection>> {
    const found = new Map<number, Rejection>()
    const rows = coalesce([changes]).flat()
    const plan = planMissing(sql, scope, rows, client)
    if (plan.length === 0) return found
    const byOrdinal = groupBy(rows, ({ ordinal }) => ordinal)
    for (const [ordinal, at] of (await batch(scope, plan)).flat()) {
      for (const row of byOrdinal.get(Number(ordinal)) ?? []) {
        const patch = row.changes.find((change) => change.op === 'patch' && change.at === Number(at))
        if (patch) found.set(patch.index, rowMissing)
      }
    }
    return found
  }

  return {
    find: (scope, changes, fault) => find(scope, changes, fault),
    giveUp: (changes, fault) =>
      new Map(changes.map(({ index }) => [index, changes.length === 1 ? rejectionOf(sql, fault) : sendFewer])),
    async findAtomic(scope, changes, fault) {
      const missing = await missingOf(scope, changes)
      const rest = changes.filter(({ index }) => !missing.has(index))
      const { rejected, parts } =
        rest.length > 0 ? await find(scope, rest, fault, true) : { rejected: new Map(), parts: [] }
      // A patch of a row whose put is refused finds none either.
      const left = rest.filter(({ index }) => !rejected.has(index))
      const orphaned = rejected.size > 0 && left.length > 0 ? await missingOf(scope, left) : []
      const all = new Map([...missing, ...rejected, ...orphaned])
      // Of a change set that is refused whole, one that is found out says more than all that are
      // not.
      const told = new Map([...all].filter(([, error]) => error !== sendFewer))
      return { rejected: told.size > 0 ? told : all, parts }
    },
  }
}

/** The database's no to these rows, or to some of them, which a search can tell. */
export function isRefusal(error: unknown): error is StoreFault {
  return error instanceof StoreFault && error.kind === 'refused'
}

/**
 * A code that tells of the schema or the server, unless neighbours of the change pass: a trigger
 * may raise any.
 */
export function isSuspect({ kind, code }: StoreFault): boolean {
  return kind === 'broken' || code === 'XX000'
}

function isPassing(fault: StoreFault): boolean {
  return (fault.kind === 'transient' || fault.kind === 'conflict') && !isSuspect(fault)
}

/** Why a change was refused; which constraint it was is said where the app has words for it. */
function rejectionOf({ schema, nonce }: Sql, fault: StoreFault): Rejection {
  const { constraint, message } = fault
  if (isNotTried(fault)) return sendFewer
  const marker = markerIn(message, nonce)
  if (marker === 'driftline_missing') return rowMissing
  if (marker === 'driftline_grown') return rowTooLarge
  if (marker === 'driftline_changed') return rowChanged
  if (marker === 'driftline_unmade')
    return rowUnmade(/_([a-z0-9_]+)\.\d+/.exec(message.slice(message.indexOf(nonce) + nonce.length))?.[1])
  if (marker === 'driftline_taken' || isUniqueKey(schema, constraint)) return keyTaken
  const text = constraint === undefined ? undefined : schema.messages.get(constraint)
  if (text === undefined || constraint === undefined) return refusal
  return { ...rejection('constraint', text), constraint }
}

/**
 * Whether a constraint is one of the keys that the schema says are unique, by the name of its
 * index.
 */
function isUniqueKey({ tables }: Sql['schema'], constraint: string | undefined): boolean {
  return tables.some(({ name, unique }) => unique.some((key) => uniqueIndex(name, key) === constraint))
}

/** Of a table that is adopted, whose keys are numbers. */
const rowUnmade = (table = 'this table') =>
  rejection('invalid_id', `Rows of ${table} are made by the server. Phones may change and delete them.`)

/** A row is no larger than the change that would put it. */
const rowTooLarge = rejection(
  'too_large',
  `With this patch the row would have more than ${limits.changeBytesMax} bytes of text.`,
)

export const sendFewer: Rejection = {
  code: 'send_fewer',
  detail: `The database refuses too many changes of this change set to find out which: ${limits.refusalTriesMax} tries, or ${limits.refusalMsMax / 1000} seconds, did not tell. Send fewer at a time.`,
  retryable: true,
}
