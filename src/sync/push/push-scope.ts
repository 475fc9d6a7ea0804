import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Return } from '../../wire/request.ts'
import type { Call } from '../call.ts'
import type { UnseenDeletes } from '../quotas/quotas.ts'
import { throwResync } from '../resync.ts'
import { coalesce } from './coalesce.ts'
import { compilePush } from './plan.ts'
import { countUnseen, reconcile } from './reconcile.ts'
import { foldedAndSwallowed } from './swallowed.ts'
import { joinVerdicts, rejectedVerdicts, type Verdicts } from './verdicts.ts'
import { tellApplied, writeScope } from './write-scope.ts'

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
}

/** What came of a push to one scope. */
export interface PushedScope {
  /** Of all changes of the scope. */
  readonly verdicts: Verdicts
  /** Where the request asks for one. */
  readonly page?: ScopePage | undefined
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
 */
export async function pushScope(
  call: Call,
  push: ScopePush,
  scope: string,
  changes: readonly Change[],
): Promise<PushedScope> {
  const admitted = await push.deletes.admit(scope, changes)
  const written = await pushParts(call, push, scope, admitted.changes)
  const page = written.isWritten ? written.page : await readUnwritten(call, push, scope)
  // What was swallowed of rows that were folded comes once more, each change by itself.
  const { folded } = written
  const alone =
    folded.length > 0
      ? await pushParts(
          call,
          { ...push, cursor: undefined },
          scope,
          folded,
          folded.map((change) => [change]),
        )
      : undefined
  push.deletes.stored(written.unseen + (alone?.unseen ?? 0))
  const parts = [rejectedVerdicts(admitted.rejected), written.verdicts, alone?.verdicts ?? new Map()]
  return { verdicts: joinVerdicts(parts), page }
}

/** Applies changes in these parts, which the database is to take one after the other. */
export async function pushParts(
  call: Call,
  push: Omit<ScopePush, 'deletes'>,
  scope: string,
  changes: readonly Change[],
  parts?: readonly (readonly Change[])[],
): Promise<PushedParts> {
  const { sql, pages, receivedAt } = call
  const { client, atomic, cursor, limit, answerBytesMax } = push
  const range = cursor === undefined || limit === undefined ? undefined : pages.rangeOf(scope, cursor, limit)
  const recordings = call.record(scope, receivedAt)
  const { done, rejected } = await writeScope(
    call,
    {
      ...{ scope, client, atomic, cursor, answerBytesMax },
      room: call.rooms?.enter(scope, { client, atomic, batch: call.batch }),
      plan(attempt) {
        const passes = coalesce(attempt.parts)
        const entry = cursor?.get(scope)
        const options = { ...attempt, client, atomic, receivedAt, return: push.return, entry, recordings }
        return { passes, plan: compilePush(sql, scope, passes, options, range) }
      },
    },
    changes,
    parts,
  )
  if (!done) return { verdicts: rejectedVerdicts(rejected), isWritten: false, unseen: 0, folded: [] }
  const verdicts = reconcile(sql.dialect, done, client, push.return)
  tellApplied(call, done, verdicts)
  return {
    verdicts: joinVerdicts([rejectedVerdicts(rejected), verdicts]),
    page: range && pages.read(scope, done.results.at(-1)),
    isWritten: true,
    unseen: countUnseen(sql.dialect, done),
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
  const page = await call.pages.fetch(call.batch, scope, call.pages.rangeOf(scope, cursor, limit))
  throwResync(cursor, new Map([[scope, page.head]]))
  return page
}
