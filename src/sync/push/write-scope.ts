import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import { Problem, type Rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import { markerIn } from '../../sql/markers.ts'
import { parseHead } from '../../sql/scope-page.ts'
import type { Cells } from '../../sql/statement.ts'
import { StoreFault } from '../../stores/store.ts'
import type { Call } from '../call.ts'
import type { RoomOfScope } from '../quotas/rooms.ts'
import { throwResync } from '../resync.ts'
import type { Rejections } from './admitted.ts'
import { throwAtomic } from './atomic.ts'
import type { RowWrite } from './coalesce.ts'
import type { AnswerBound, Planned, RoomBound } from './planned.ts'
import { isRefusal, isSuspect } from './refusals.ts'
import type { Verdicts } from './verdicts.ts'

/** What is to be written to one scope, and how. */
export interface ScopeWrite {
  readonly scope: string
  readonly client: string
  /** All or nothing: what is refused ends the request. */
  readonly atomic: boolean
  /** The request's cursor, which the write is held against. */
  readonly cursor?: Cursor | null | undefined
  readonly room?: RoomOfScope | undefined
  /** For the rows that the verdicts repeat. */
  readonly answerBytesMax: number
  /** The statements that write the parts, one after the other. */
  plan(attempt: Attempt): WritePlan
}

/** One try to write what has not been refused so far. */
export interface Attempt {
  /** The changes in the parts in which the database takes them one after the other. */
  readonly parts: readonly (readonly Change[])[]
  readonly rejected: Rejections
  readonly answer: AnswerBound
  readonly room: RoomBound | undefined
  readonly incarnation: string
}

export interface WritePlan {
  readonly plan: readonly Planned[]
  /** What the changes were folded into; of an import nothing is. */
  readonly passes: readonly (readonly RowWrite[])[]
}

/** What came of a write. */
export interface Written {
  /** Absent where nothing was left to write. */
  readonly done?: Done
  /** A webhook took effect before, and so nothing was written now. */
  readonly repeated?: true
  readonly rejected: Rejections
}

/** The batch that the database took. */
export interface Done extends Attempt, WritePlan {
  readonly scope: string
  readonly changes: readonly Change[]
  readonly results: readonly (readonly Cells[])[]
  /** The scope's position now. Undefined: it was never written. */
  readonly position: number | undefined
}

/**
 * How often a change set is written that the database refuses each time, and takes whenever it is
 * tried.
 */
const writesMax = 5

/**
 * Writes what the database takes of a scope's changes. What it refuses is searched for and left
 * out, and the rest is written, in the order and in the parts in which it is taken.
 */
export async function writeScope(
  call: Call,
  write: ScopeWrite,
  changes: readonly Change[],
  ofParts: readonly (readonly Change[])[] = [changes],
): Promise<Written> {
  const { scope, client, atomic, cursor, room } = write
  const refusals = call.refusalsOf(client)
  const rejected = new Map<number, Rejection>()
  const isLeft = ({ index }: Change) => !rejected.has(index)
  const reject = (more: Rejections) => {
    for (const [index, error] of more) rejected.set(index, error)
    accepted = accepted.filter(isLeft)
    parts = parts.map((part) => part.filter(isLeft))
  }
  let accepted = changes
  // Where the database takes the changes one part after the other and not together, the parts.
  let parts = ofParts
  let found: readonly (readonly Change[])[] = []
  if (room) reject((await room.before(accepted)).rejected)
  for (let writes = 1; ; writes++) {
    // Whatever is refused: with nothing left there is nothing to write.
    if (accepted.length === 0) return { rejected }
    try {
      return { done: await attempt(call, write, accepted, parts, rejected), rejected }
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault
      const marker = markerIn(fault.message, call.sql.nonce)
      if (room && marker === 'driftline_full') {
        reject((await room.look(accepted)).rejected)
        // Nothing was refused: it was not known whether there is room.
        writes--
        continue
      }
      if (marker === 'driftline_resync') {
        throwResync(cursor, new Map([[scope, await call.pages.fetchHead(call.batch, scope)]]))
      } else if (marker === 'driftline_repeated') return { repeated: true, rejected }
      else if (marker === undefined && !isRefusal(fault) && !isSuspect(fault)) throw fault
      // Whoever is refused again and again, or resynced and then not, meets a database that changes
      // meanwhile.
      if (writes === writesMax) {
        if (marker !== undefined || fault.kind !== 'refused')
          throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
        const given = refusals.giveUp(accepted, fault)
        if (atomic) throwAtomic(given)
        reject(given)
      } else if (marker === 'driftline_resync') {
        // The scope is as the cursor has it again.
      } else if (atomic) {
        const searched = await refusals.findAtomic(scope, accepted, fault)
        throwAtomic(searched.rejected)
        if (searched.parts.length > 0) parts = searched.parts
      } else if (found.length > 1) {
        // What passes alone does not pass together.
        parts = found
        found = []
      } else {
        const searched = await refusals.find(scope, accepted, fault)
        reject(searched.rejected)
        // Nothing was refused: it is the order that matters.
        const isOrder = searched.rejected.size === 0
        parts = isOrder ? searched.parts : [accepted]
        found = isOrder ? [] : searched.parts
      }
    }
  }
}

/**
 * One batch. A large set is planned, sent and read in turns, so that others are answered in
 * between.
 */
async function attempt(
  call: Call,
  write: ScopeWrite,
  changes: readonly Change[],
  parts: Attempt['parts'],
  rejected: Rejections,
): Promise<Done> {
  const { scope, room } = write
  const isLarge = changes.length > turnChanges
  if (isLarge) await nextTurn()
  const base = { parts, rejected, room: room?.bound(changes), incarnation: call.incarnation() }
  const { tried, planned, results } = await sendBounded(call, write, base)
  if (isLarge) await nextTurn()
  const { plan } = planned
  const lock = plan.findIndex(({ role }) => role.kind === 'head')
  const position = parseHead(results[lock] ?? [])?.position
  if (position !== undefined) room?.written(Number(plan[lock]?.params[2]), position)
  return { ...tried, ...planned, scope, changes, results, position }
}

/**
 * Weighs the answer only where it may be too large: in scopes that hold a large row, the first time
 * in a second try.
 */
async function sendBounded(
  call: Call,
  { scope, answerBytesMax, plan: planOf }: ScopeWrite,
  base: Omit<Attempt, 'answer'>,
) {
  const { heavy } = call.pages
  let weigh = heavy.has(scope)
  for (;;) {
    const tried: Attempt = { ...base, answer: { bytesMax: answerBytesMax, weigh } }
    const planned = planOf(tried)
    try {
      return { tried, planned, results: await call.batch(scope, planned.plan) }
    } catch (fault) {
      if (!(fault instanceof StoreFault) || markerIn(fault.message, call.sql.nonce) !== 'driftline_large') throw fault
      if (weigh) throw answerTooLarge()
      heavy.add(scope)
      weigh = true
    }
  }
}

const answerTooLarge = () =>
  new Problem(
    'answer_too_large',
    `The rows of the verdicts have more than ${limits.answerBytesMax} bytes. Send fewer changes at a time.`,
  )

/** Pokes where something was applied. */
export function tellApplied({ committed }: Call, { scope, position, changes }: Done, verdicts: Verdicts): void {
  if (position !== undefined && changes.some(({ index }) => verdicts.get(index)?.verdict === 'applied'))
    committed(scope, position)
}
