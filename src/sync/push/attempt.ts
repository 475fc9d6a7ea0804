import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import { Problem } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import { markerIn } from '../../sql/markers.ts'
import { parseHead, type ScopePage } from '../../sql/scope-page.ts'
import type { Cells } from '../../sql/statement.ts'
import { StoreFault } from '../../stores/store.ts'
import type { Call } from '../call.ts'
import type { RoomOfScope } from '../quotas/rooms.ts'
import { noRejections, type Rejections } from './admitted.ts'
import type { Beside } from './beside.ts'
import { oldEdits } from './old-edits.ts'
import type { AnswerBound, Planned, RoomBound } from './planned.ts'
import { isRefusal, isSuspect } from './refusals.ts'
import type { RowWrite } from './row-write.ts'
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
  /** What its batch does beside, where it is the only one of it. */
  readonly beside?: Beside | undefined
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

/** The batch that the database took. */
export interface Done extends Attempt, WritePlan {
  readonly scope: string
  readonly changes: readonly Change[]
  readonly results: readonly (readonly Cells[])[]
  /** What was read of the scope, and of others of its database. None: nothing was asked for. */
  readonly pages?: ReadonlyMap<string, ScopePage> | undefined
  /** The scope's position now. Undefined: it was never written. */
  readonly position: number | undefined
}

/**
 * One batch. A large set is planned, sent and read in turns, so that others are answered in
 * between. The answer is weighed only where it may be too large: in scopes that hold a large row,
 * the first time in a second try.
 */
export async function attempt(
  call: Call,
  write: ScopeWrite,
  changes: readonly Change[],
  parts: Attempt['parts'],
  rejected: Rejections,
): Promise<Done> {
  const { heavy } = call.pages
  const { scope, room } = write
  const isLarge = changes.length > turnChanges
  const base = { parts, rejected, room: room?.bound(changes), incarnation: call.incarnation() }
  for (let weigh = heavy.get(scope) === true; ; weigh = true) {
    if (isLarge) await nextTurn()
    const tried = planAttempt(write, { ...base, answer: { bytesMax: write.answerBytesMax, weigh } }, changes)
    try {
      const { results, pages } = await sendAttempts(call, [tried], write.beside)
      if (isLarge) await nextTurn()
      return { ...readAttempt(write, tried, results[0] ?? []), pages }
    } catch (fault) {
      if (!(fault instanceof StoreFault) || markerIn(fault.message, call.sql.nonce) !== 'driftline_large') throw fault
      if (weigh) throw answerTooLarge()
      heavy.set(scope, true)
    }
  }
}

interface PlannedAttempt extends Omit<Done, 'results' | 'pages' | 'position'> {
  /** The positions that it takes. */
  readonly n: number
  readonly lock: number
}

function planAttempt(write: ScopeWrite, tried: Attempt, changes: readonly Change[]): PlannedAttempt {
  const planned = write.plan(tried)
  const lock = planned.plan.findIndex(({ role }) => role.kind === 'head')
  return { ...tried, ...planned, scope: write.scope, changes, lock, n: Number(planned.plan[lock]?.params[2]) }
}

function readAttempt(
  { room }: ScopeWrite,
  { lock, n, ...tried }: PlannedAttempt,
  results: readonly (readonly Cells[])[],
): Done {
  const position = parseHead(results[lock] ?? [])?.position
  if (position !== undefined) room?.written(n, position)
  return { ...tried, results, position }
}

/** What the batch gave of each attempt, and the pages that it read behind all of them. */
interface Sent {
  readonly results: readonly (readonly (readonly Cells[])[])[]
  readonly pages: ReadonlyMap<string, ScopePage> | undefined
}

/** The attempts of scopes of one database as one batch, between what is done beside them. */
async function sendAttempts(
  { batch }: Call,
  attempts: readonly PlannedAttempt[],
  beside: Beside | undefined,
): Promise<Sent> {
  const gates = beside?.gates ?? []
  const read = beside?.read?.(new Map(attempts.map(({ scope, n }) => [scope, n])))
  const plans = [gates, ...attempts.map(({ plan }) => plan), read?.plan ?? []]
  const results = await batch(attempts[0]?.scope ?? '', plans.flat())
  let at = 0
  const parts = plans.map(({ length }) => {
    at += length
    return results.slice(at - length, at)
  })
  return { results: parts.slice(1, -1), pages: read?.finish(parts.at(-1) ?? []) }
}

/** What came of several scopes that were written by one batch. */
export interface Together {
  readonly done: ReadonlyMap<string, Done>
  readonly pages: ReadonlyMap<string, ScopePage> | undefined
}

/**
 * Writes several scopes of one database by one batch, each whole. Undefined where the database
 * refuses that: then each is to be written by itself. The scopes are locked in one order, whoever
 * writes them, so that no two writers wait for each other.
 */
export async function writeTogether(
  call: Call,
  writes: readonly { readonly write: ScopeWrite; readonly changes: readonly Change[] }[],
  beside?: Beside,
): Promise<Together | undefined> {
  const { heavy } = call.pages
  // Each looks for what is forgotten.
  if (writes.some(({ changes }) => oldEdits(changes, call.receivedAt).length > 0)) return undefined
  const inOrder = writes.toSorted((a, b) => (a.write.scope < b.write.scope ? -1 : 1))
  const isLarge = writes.reduce((sum, { changes }) => sum + changes.length, 0) > turnChanges
  if (isLarge) await nextTurn()
  const planned = inOrder.map(({ write, changes }) => {
    const answer = { bytesMax: write.answerBytesMax, weigh: heavy.get(write.scope) === true }
    const base = { parts: [changes], rejected: noRejections, room: undefined, incarnation: call.incarnation() }
    return { write, tried: planAttempt(write, { ...base, answer }, changes) }
  })
  try {
    const { results, pages } = await sendAttempts(
      call,
      planned.map(({ tried }) => tried),
      beside,
    )
    if (isLarge) await nextTurn()
    const done = planned.map(
      ({ write, tried }, place) => [write.scope, readAttempt(write, tried, results[place] ?? [])] as const,
    )
    return { done: new Map(done), pages }
  } catch (fault) {
    if (fault instanceof StoreFault && (isRefusal(fault) || isSuspect(fault))) return undefined
    throw fault
  }
}

const answerTooLarge = () =>
  new Problem(
    'answer_too_large',
    `The rows of the verdicts have more than ${limits.answerBytesMax} bytes. Send fewer changes at a time.`,
  )

/** Pokes where something was applied. */
export function notifyApplied({ committed }: Call, { scope, position, changes }: Done, verdicts: Verdicts): void {
  if (position !== undefined && changes.some(({ index }) => verdicts.get(index)?.verdict === 'applied'))
    committed(scope, position)
}
