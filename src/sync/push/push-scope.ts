import type { Change } from '../../model/change.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Return } from '../../wire/request.ts'
import type { Call } from '../call.ts'
import type { UnseenDeletes } from '../quotas/quotas.ts'
import { type Admitted, noRejections } from './admitted.ts'
import { type Done, notifyApplied, type ScopeWrite } from './attempt.ts'
import type { Beside } from './beside.ts'
import { coalesce } from './coalesce.ts'
import { tellHolders } from './holders.ts'
import { planPush } from './plan.ts'
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
  readonly answerBytesMax: number
  /** Counts the tombstones of ids that had no row. */
  readonly deletes: UnseenDeletes
  /** What the same batch does for other scopes of the database, and which pages it reads. */
  readonly beside?: Beside | undefined
}

/** What came of a push to one scope. */
export interface PushedScope {
  /** Of all changes of the scope. */
  readonly verdicts: Verdicts
  /** False where nothing was left to write, and so nothing was read. */
  readonly isWritten: boolean
  /** What was read with it. */
  readonly pages?: ReadonlyMap<string, ScopePage> | undefined
}

interface PushedParts extends PushedScope {
  /** Tombstones that were stored of ids that had no row. */
  readonly unseen: number
  /** Changes that a trigger may have swallowed only because they were folded with others. */
  readonly folded: readonly Change[]
}

/**
 * Applies what the database takes of a scope's changes, and gives each its verdict. `first` is what
 * came of them where they were written already.
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
  const written = readParts(call, push, done)
  // What was swallowed of rows that were folded comes once more, each change by itself.
  const { folded } = written
  const alone = folded.length > 0 ? await pushAlone(call, push, scope, folded) : undefined
  push.deletes.stored(written.unseen + (alone?.unseen ?? 0))
  const parts = [rejectedVerdicts(admitted.rejected), written.verdicts, alone?.verdicts ?? new Map()]
  const verdicts = await tellHolders(call, push.client, scope, changes, joinVerdicts(parts))
  return { verdicts, isWritten: written.isWritten, pages: written.pages }
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
  return readParts(call, alone, await writeScope(call, write, changes, parts))
}

/** A scope's part of a push, as it is to be written. */
export function planScope(call: Call, push: Omit<ScopePush, 'deletes'>, scope: string): ScopeWrite {
  const { sql, receivedAt } = call
  const { client, atomic, cursor, answerBytesMax, beside } = push
  const recordings = call.record(scope, receivedAt)
  return {
    ...{ scope, client, atomic, cursor, answerBytesMax, beside },
    room: call.rooms?.enter(scope, { client, atomic, batch: call.batch }),
    plan(attempt) {
      const passes = coalesce(attempt.parts)
      const entry = cursor?.get(scope)
      const options = { ...attempt, client, atomic, receivedAt, return: push.return, entry, recordings }
      return { passes, plan: planPush(sql, scope, passes, options) }
    },
  }
}

function readParts(
  call: Call,
  { client, return: returned }: Pick<ScopePush, 'client' | 'return'>,
  { done, rejected }: Written,
): PushedParts {
  if (!done) return { verdicts: rejectedVerdicts(rejected), isWritten: false, unseen: 0, folded: [] }
  const { dialect } = call.sql
  const verdicts = reconcile(dialect, done, client, returned)
  notifyApplied(call, done, verdicts)
  return {
    verdicts: joinVerdicts([rejectedVerdicts(rejected), verdicts]),
    isWritten: true,
    pages: done.pages,
    unseen: countUnseen(dialect, done),
    folded: foldedAndSwallowed(done.changes, verdicts),
  }
}
