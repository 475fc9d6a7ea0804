import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Cells } from '../../sql/statement.ts'
import type { Return } from '../../wire/request.ts'
import type { Call } from '../call.ts'
import type { UnseenDeletes } from '../quotas/quotas.ts'
import { throwResync } from '../resync.ts'
import { type Admitted, noRejections } from './admitted.ts'
import { type Beside, type Done, notifyApplied, type ScopeWrite } from './attempt.ts'
import { coalesce } from './coalesce.ts'
import { planPush } from './plan.ts'
import type { PageRange } from './planned.ts'
import { countUnseen, reconcile } from './reconcile.ts'
import { foldedAndSwallowed } from './swallowed.ts'
import { joinVerdicts, rejectedVerdicts, type Verdicts } from './verdicts.ts'
import { type Written, writeScope } from './write-scope.ts'

/** What a push asks for in each of its scopes. */
export interface ScopePush {
  readonly client: string
  readonly atomic: boolean
  readonly return: Return
  readonly cursor: Cursor | null | undefined
  /** The rows of the page that is asked for. Undefined: none is. */
  readonly limit: number | undefined
  readonly answerBytesMax: number
  /** Counts the tombstones of ids that had no row. */
  readonly deletes: UnseenDeletes
  /** Other scopes of the same database, which are read in the same batch. */
  readonly beside?: Beside | undefined
}

/** What came of a push to one scope. */
export interface PushedScope {
  /** Of all changes of the scope. */
  readonly verdicts: Verdicts
  /** Where the request asks for one. */
  readonly page?: ScopePage | undefined
  /** What was read of other scopes, where the scope was written. */
  readonly beside?: readonly (readonly Cells[])[] | undefined
}

interface PushedParts extends PushedScope {
  /** False where nothing was left to write, and so nothing was read. */
  readonly isWritten: boolean
  /** Tombstones that were stored of ids that had no row. */
  readonly unseen: number
  /** Changes that a trigger may have swallowed only because they were folded with others. */
  readonly folded: readonly Change[]
}

/**
 * Applies what the database takes of a scope's changes, gives each its verdict, and reads the page.
 * `first` is what came of them where they were written already.
 */
export async function pushScope(
  call: Call,
  push: ScopePush,
  scope: string,
  admitted: Admitted,
  first?: Done,
): Promise<PushedScope> {
  const write = planScope(call, push, scope)
  const { changes } = admitted
  const done = first ? { done: first, rejected: noRejections } : await writeScope(call, write, changes)
  const written = readParts(call, push, write, done)
  const page = written.isWritten ? written.page : await readUnwritten(call, push, scope)
  // What was swallowed of rows that were folded comes once more, each change by itself.
  const { folded } = written
  const alone = folded.length > 0 ? await pushAlone(call, push, scope, folded) : undefined
  push.deletes.stored(written.unseen + (alone?.unseen ?? 0))
  const parts = [rejectedVerdicts(admitted.rejected), written.verdicts, alone?.verdicts ?? new Map()]
  return { verdicts: joinVerdicts(parts), page, beside: written.beside }
}

/** Each change by itself, in their order. Nothing is read. */
export async function pushAlone(
  call: Call,
  push: Omit<ScopePush, 'deletes'>,
  scope: string,
  changes: readonly Change[],
): Promise<PushedParts> {
  const alone = { ...push, cursor: undefined, beside: undefined }
  const write = planScope(call, alone, scope)
  const parts = changes.map((change) => [change])
  return readParts(call, alone, write, await writeScope(call, write, changes, parts))
}

/** A scope's part of a push, as it is to be written. */
export interface PlannedScope extends ScopeWrite {
  readonly range: PageRange | undefined
}

export function planScope(call: Call, push: Omit<ScopePush, 'deletes'>, scope: string): PlannedScope {
  const { sql, pages, receivedAt } = call
  const { client, atomic, cursor, limit, answerBytesMax, beside } = push
  const range =
    cursor === undefined || limit === undefined ? undefined : pages.rangeOf(scope, cursor?.get(scope), limit)
  const recordings = call.record(scope, receivedAt)
  return {
    ...{ scope, client, atomic, cursor, answerBytesMax, beside, range },
    room: call.rooms?.enter(scope, { client, atomic, batch: call.batch }),
    plan(attempt) {
      const passes = coalesce(attempt.parts)
      const entry = cursor?.get(scope)
      const options = { ...attempt, client, atomic, receivedAt, return: push.return, entry, recordings }
      return { passes, plan: planPush(sql, scope, passes, options, range) }
    },
  }
}

function readParts(
  call: Call,
  { client, return: returned }: Pick<ScopePush, 'client' | 'return'>,
  { scope, range }: PlannedScope,
  { done, rejected }: Written,
): PushedParts {
  if (!done) return { verdicts: rejectedVerdicts(rejected), isWritten: false, unseen: 0, folded: [] }
  const { dialect } = call.sql
  const verdicts = reconcile(dialect, done, client, returned)
  notifyApplied(call, done, verdicts)
  return {
    verdicts: joinVerdicts([rejectedVerdicts(rejected), verdicts]),
    page: range && call.pages.read(scope, done.results.at(-1)),
    isWritten: true,
    beside: done.beside,
    unseen: countUnseen(dialect, done),
    folded: foldedAndSwallowed(done.changes, verdicts),
  }
}

/** Nothing is written, and the scope is read as any other. */
async function readUnwritten(call: Call, { cursor, limit }: ScopePush, scope: string): Promise<ScopePage | undefined> {
  if (cursor === undefined) return undefined
  if (limit === undefined) {
    throwResync(cursor, new Map([[scope, await call.pages.fetchHead(call.batch, scope)]]))
    return undefined
  }
  const page = await call.pages.fetch(call.batch, scope, call.pages.rangeOf(scope, cursor?.get(scope), limit))
  throwResync(cursor, new Map([[scope, page.head]]))
  return page
}
