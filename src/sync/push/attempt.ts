import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import { Problem } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import { markerIn } from '../../sql/markers.ts'
import { parseHead } from '../../sql/scope-page.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { StoreFault } from '../../stores/store.ts'
import type { Call } from '../call.ts'
import type { RoomOfScope } from '../quotas/rooms.ts'
import { noRejections, type Rejections } from './admitted.ts'
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
  readonly beside?: Beside | undefined
  /** The statements that write the parts, one after the other. */
  plan(attempt: Attempt): WritePlan
}

/** Other scopes of the same database, which the same batch looks at. */
export interface Beside {
  readonly scopes: readonly string[]
  /** Reads of them, before anything is written. */
  readonly plan: readonly Statement[]
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
  /** What was read of other scopes. */
  readonly beside: readonly (readonly Cells[])[]
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
      const results = await call.batch(scope, tried.statements)
      if (isLarge) await nextTurn()
      return readAttempt(write, tried, results)
    } catch (fault) {
      if (!(fault instanceof StoreFault) || markerIn(fault.message, call.sql.nonce) !== 'driftline_large') throw fault
      if (weigh) throw answerTooLarge()
      heavy.set(scope, true)
    }
  }
}

interface PlannedAttempt extends Omit<Done, 'results' | 'beside' | 'position'> {
  readonly statements: readonly Statement[]
}

function planAttempt(write: ScopeWrite, tried: Attempt, changes: readonly Change[]): PlannedAttempt {
  const planned = write.plan(tried)
  const statements = [...(write.beside?.plan ?? []), ...planned.plan]
  return { ...tried, ...planned, scope: write.scope, changes, statements }
}

function readAttempt(
  { beside, room }: ScopeWrite,
  { statements: _, ...tried }: PlannedAttempt,
  results: readonly (readonly Cells[])[],
): Done {
  const reads = beside?.plan.length ?? 0
  const own = results.slice(reads)
  const lock = tried.plan.findIndex(({ role }) => role.kind === 'head')
  const position = parseHead(own[lock] ?? [])?.position
  if (position !== undefined) room?.written(Number(tried.plan[lock]?.params[2]), position)
  return { ...tried, results: own, beside: results.slice(0, reads), position }
}

/**
 * Writes several scopes of one database by one batch, each whole. Undefined where the database
 * refuses that: then each is to be written by itself. The scopes are locked in one order, whoever
 * writes them, so that no two writers wait for each other.
 */
export async function writeTogether(
  call: Call,
  writes: readonly { readonly write: ScopeWrite; readonly changes: readonly Change[] }[],
): Promise<ReadonlyMap<string, Done> | undefined> {
  const { heavy } = call.pages
  const inOrder = writes.toSorted((a, b) => (a.write.scope < b.write.scope ? -1 : 1))
  const isLarge = writes.reduce((sum, { changes }) => sum + changes.length, 0) > turnChanges
  if (isLarge) await nextTurn()
  const planned = inOrder.map(({ write, changes }) => {
    const answer = { bytesMax: write.answerBytesMax, weigh: heavy.get(write.scope) === true }
    const base = { parts: [changes], rejected: noRejections, room: undefined, incarnation: call.incarnation() }
    return { write, tried: planAttempt(write, { ...base, answer }, changes) }
  })
  const statements = planned.flatMap(({ tried }) => tried.statements)
  try {
    const results = await call.batch(inOrder[0]?.write.scope ?? '', statements)
    if (isLarge) await nextTurn()
    let at = 0
    return new Map(
      planned.map(({ write, tried }) => {
        const own = results.slice(at, at + tried.statements.length)
        at += tried.statements.length
        return [write.scope, readAttempt(write, tried, own)]
      }),
    )
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
