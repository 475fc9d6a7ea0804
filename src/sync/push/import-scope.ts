import type { Change } from '../../model/change.ts'
import { Problem, type Rejection } from '../../model/errors.ts'
import { groupBy } from '../../model/group-by.ts'
import { refusal } from '../../model/stamp.ts'
import type { Tally } from '../../model/verdict.ts'
import type { Store } from '../../stores/store.ts'
import type { ImportAnswer } from '../../wire/answer.ts'
import type { Call } from '../call.ts'
import type { UnseenDeletes } from '../quotas/quotas.ts'
import { admitAll } from './admitted.ts'
import { keyOf, rowsOf } from './coalesce.ts'
import { countUnseenInBulk, planBulk, planSettled, readSettled, readTally } from './plan-bulk.ts'
import { pushScope } from './push-scope.ts'
import { rejectionsOf, tallyOf } from './verdicts.ts'
import { writeScope } from './write-scope.ts'

/** A chunk of an import. */
export interface ScopeImport {
  /** Who writes the changes that do not say it themselves. */
  readonly client: string
  readonly answerBytesMax: number
  readonly deletes: UnseenDeletes
  /** Most of the changes are expected to be stored already: look before anything is written. */
  readonly looks: boolean
  /**
   * Nothing is written before this, what came of the chunk before, and nothing at all where it
   * fails: what can be done without is done meanwhile.
   */
  readonly after?: Promise<Pick<Tally, 'applied'>> | undefined
}

/**
 * Applies a chunk's changes of one scope. Puts and deletes that are alone for their row, which all
 * of most imports are, go in bulk and are counted; the others (patches, and rows that come more
 * than once) go as ordinary change sets, one for each client, and so end as if they had been
 * pushed.
 */
export async function importScope(
  call: Call,
  chunk: ScopeImport,
  scope: string,
  changes: readonly Change[],
): Promise<ImportAnswer> {
  const waiting: Call = {
    ...call,
    async batch(...batch) {
      await chunk.after
      return call.batch(...batch)
    },
  }
  const admitted = await chunk.deletes.admit(scope, changes)
  const rows = rowsOf(admitted.changes)
  const isAlone = (change: Change) => change.op !== 'patch' && rows.get(keyOf(change))?.length === 1
  const alone = admitted.changes.filter(isAlone)
  const byClient = groupBy(
    admitted.changes.filter((change) => !isAlone(change)),
    ({ by = chunk.client }) => by,
  )
  const groups: readonly Group[] = [
    { changes: alone, write: (some: readonly Change[]) => importAlone(waiting, chunk, scope, some, call.batch) },
    ...[...byClient].map(([client, some]) => ({
      changes: some,
      write: (again: readonly Change[]) => pushOthers(waiting, { ...chunk, client }, scope, again),
    })),
  ].filter((group) => group.changes.length > 0)
  return joinImported([{ tally: tallyOf([]), rejected: admitted.rejected }, await writeGroups(groups)])
}

/** Changes that go the same way. */
interface Group {
  readonly changes: readonly Change[]
  write(changes: readonly Change[]): Promise<ImportAnswer>
}

/**
 * Writes one group after the other. What a change lacks may have come with another group: a row to
 * patch or to refer to, a unique value that is free now. So it is tried again, no more often than
 * there are groups, and only while it helps.
 */
async function writeGroups(groups: readonly Group[]): Promise<ImportAnswer> {
  const parts: ImportAnswer[] = []
  const rejected = new Map<number, Rejection>()
  /** How many changes were applied when a group had been written. */
  const appliedAt: number[] = []
  const applied = () => parts.reduce((sum, { tally }) => sum + tally.applied, 0)
  for (let round = 0, gained = true; gained && round < Math.max(groups.length, 1); round++) {
    gained = false
    for (const [place, { changes, write }] of groups.entries()) {
      const before = applied()
      const isDone = round > 0 && before === appliedAt[place]
      const some = round === 0 ? changes : changes.filter(({ index }) => isOfOthers(rejected.get(index)))
      if (!isDone && some.length > 0) {
        const part = await write(some)
        for (const { index } of some) rejected.delete(index)
        for (const [index, error] of part.rejected) rejected.set(index, error)
        parts.push(part)
      }
      appliedAt[place] = applied()
      gained ||= applied() > before
    }
  }
  return { ...joinImported(parts), rejected }
}

/** Whether another change of the chunk may have been what it lacked. */
const isOfOthers = (error: Rejection | undefined) => error?.code === 'constraint' || error?.code === 'row_missing'

/** As many at a time as their verdicts may take. */
async function pushOthers(
  call: Call,
  chunk: ScopeImport,
  scope: string,
  changes: readonly Change[],
): Promise<ImportAnswer> {
  const push = { ...chunk, atomic: false, return: 'lost', cursor: undefined } as const
  try {
    const { verdicts } = await pushScope(call, push, scope, admitAll(changes))
    return { tally: tallyOf(verdicts.values()), rejected: rejectionsOf(verdicts) }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'answer_too_large' || changes.length === 1) throw error
    const half = changes.length >> 1
    const first = await pushOthers(call, chunk, scope, changes.slice(0, half))
    return joinImported([first, await pushOthers(call, chunk, scope, changes.slice(half))])
  }
}

async function importAlone(
  call: Call,
  chunk: ScopeImport,
  scope: string,
  changes: readonly Change[],
  look: Store['batch'],
): Promise<ImportAnswer> {
  const { sql } = call
  const { client, answerBytesMax } = chunk
  const settled = chunk.looks ? await findSettled(call, chunk, scope, changes, look) : undefined
  const recordings = call.record(scope, call.receivedAt)
  const { done, rejected } = await writeScope(
    call,
    {
      ...{ scope, client, atomic: false, answerBytesMax },
      room: call.rooms?.enter(scope, { client, atomic: false, batch: call.batch }),
      plan: ({ parts, room, incarnation }) => ({
        passes: [],
        plan: planBulk(sql, scope, parts, { client, room, incarnation, recordings }, call.transport),
      }),
    },
    settled?.unsettled ?? changes,
  )
  const before = { tally: settled?.tally ?? tallyOf([]), rejected }
  if (!done) return before
  const { plan, results, position } = done
  chunk.deletes.stored(countUnseenInBulk(plan, results))
  const tally = readTally(plan, results)
  if (tally.applied > 0 && position !== undefined) call.committed(scope, position)
  // Every line that was not written lost against a greater stamp, but for those that a trigger
  // swallowed: they are still not settled.
  const swallowed = tally.stale > 0 ? await findSwallowed(call, client, scope, done.changes, look) : []
  const after = { ...tally, stale: tally.stale - swallowed.length }
  return joinImported([before, { tally: after, rejected: new Map(swallowed.map(({ index }) => [index, refusal])) }])
}

/**
 * It is seen as it was before the chunk before, which is the same where nothing of that was
 * applied.
 */
async function findSettled(
  { sql }: Call,
  { client, after }: ScopeImport,
  scope: string,
  changes: readonly Change[],
  look: Store['batch'],
) {
  const plan = planSettled(sql, scope, changes, client)
  const early = look(scope, plan)
  early.catch(() => {})
  const before = await after
  const results = before && before.applied > 0 ? await look(scope, plan) : await early
  return readSettled(changes, plan, results)
}

async function findSwallowed(
  { sql }: Call,
  client: string,
  scope: string,
  changes: readonly Change[],
  look: Store['batch'],
) {
  const plan = planSettled(sql, scope, changes, client)
  return readSettled(changes, plan, await look(scope, plan)).unsettled
}

/** What became of all of them. */
export function joinImported(parts: readonly ImportAnswer[]): ImportAnswer {
  const sum = (verdict: keyof Tally) => parts.reduce((all, { tally }) => all + tally[verdict], 0)
  return {
    tally: { applied: sum('applied'), duplicate: sum('duplicate'), stale: sum('stale') },
    rejected: new Map(parts.flatMap((part) => [...part.rejected])),
  }
}
