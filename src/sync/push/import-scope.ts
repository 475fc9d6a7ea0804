import type { Change } from '../../model/change.ts'
import { Problem, type Rejection } from '../../model/errors.ts'
import { groupBy } from '../../model/group-by.ts'
import { counterEdits } from '../../model/merge.ts'
import { refusal } from '../../model/stamp.ts'
import type { Tally } from '../../model/verdict.ts'
import type { Store } from '../../stores/store.ts'
import type { ImportAnswer } from '../../wire/answer.ts'
import type { Call } from '../call.ts'
import type { UnseenDeletes } from '../quotas/quotas.ts'
import { admitAll, noRejections, type Rejections } from './admitted.ts'
import type { Done, ScopeWrite } from './attempt.ts'
import { keyOf, rowsOf } from './coalesce.ts'
import { findSettled, lookAt } from './import-looks.ts'
import { countUnseenInBulk, planBulk, readTally, type Settled } from './plan-bulk.ts'
import { planScope, pushScope } from './push-scope.ts'
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

/** A scope's part of a chunk. */
export interface ImportPart {
  readonly scope: string
  readonly rejected: Rejections
  readonly groups: readonly Group[]
}

/** Changes that go the same way. */
export interface Group {
  /** Whose they are, and so how they go: those of no client in bulk, the others as change sets. */
  readonly client: string | undefined
  readonly changes: readonly Change[]
}

/**
 * Puts and deletes that are alone for their row, which all of most imports are, go in bulk and are
 * counted; the others (patches, what adds, rows that come more than once, and tables with unique
 * keys, whose holders are looked for) go as ordinary change sets, one for each client, and so end
 * as if they had been pushed.
 */
export async function splitImport(chunk: ScopeImport, scope: string, changes: readonly Change[]): Promise<ImportPart> {
  const admitted = await chunk.deletes.admit(scope, changes)
  const rows = rowsOf(admitted.changes)
  const isAlone = (change: Change) =>
    change.op !== 'patch' && !change.if && isInBulk(change) && rows.get(keyOf(change))?.length === 1
  const others = groupBy(
    admitted.changes.filter((change) => !isAlone(change)),
    ({ by = chunk.client }) => by,
  )
  const alone: Group = { client: undefined, changes: admitted.changes.filter(isAlone) }
  const groups = [alone, ...[...others].map(([client, some]): Group => ({ client, changes: some }))]
  return { scope, rejected: admitted.rejected, groups: groups.filter((group) => group.changes.length > 0) }
}

/** Whether what decides over the row stands in the statements of the bulk. */
const isInBulk = (change: Change) =>
  change.table.unique.length === 0 && !change.table.adopted && counterEdits(change).every(([, edit]) => 'set' in edit)

/** What was done for the groups of a scope before, together with those of other scopes. */
export interface ImportedBefore {
  /** Of those in bulk, which were settled already. */
  readonly settled?: Settled | undefined
  /** What came of each group, by its client. */
  readonly done: ReadonlyMap<string | undefined, Done>
  /** Which of those in bulk a trigger has swallowed. */
  readonly swallowed?: readonly Change[] | undefined
}

/** Applies a chunk's changes of one scope, as far as they are not written yet. */
export async function importScope(
  call: Call,
  chunk: ScopeImport,
  { scope, rejected, groups }: ImportPart,
  before: ImportedBefore,
): Promise<ImportAnswer> {
  const waiting = waitingFor(call, chunk)
  const write = ({ client }: Group, changes: readonly Change[], isFirst: boolean) => {
    const first = isFirst ? before : undefined
    return client === undefined
      ? importAlone(waiting, chunk, scope, changes, call.batch, first)
      : pushOthers(waiting, { ...chunk, client }, scope, changes, first?.done.get(client))
  }
  return joinImported([{ tally: tallyOf([]), rejected }, await writeGroups(groups, write)])
}

/** Nothing is written before the chunk before is. */
export function waitingFor(call: Call, { after }: ScopeImport): Call {
  return {
    ...call,
    async batch(...batch) {
      await after
      return call.batch(...batch)
    },
  }
}

/**
 * Writes one group after the other. What a change lacks may have come with another group: a row to
 * patch or to refer to, a unique value that is free now. So it is tried again, no more often than
 * there are groups, and only while it helps.
 */
async function writeGroups(
  groups: readonly Group[],
  write: (group: Group, changes: readonly Change[], isFirst: boolean) => Promise<ImportAnswer>,
): Promise<ImportAnswer> {
  const parts: ImportAnswer[] = []
  const rejected = new Map<number, Rejection>()
  /** How many changes were applied when a group had been written. */
  const appliedAt: number[] = []
  const applied = () => parts.reduce((sum, { tally }) => sum + tally.applied, 0)
  for (let round = 0, gained = true; gained && round < Math.max(groups.length, 1); round++) {
    gained = false
    for (const [place, group] of groups.entries()) {
      const before = applied()
      const isDone = round > 0 && before === appliedAt[place]
      const some = round === 0 ? group.changes : group.changes.filter(({ index }) => isOfOthers(rejected.get(index)))
      if (!isDone && some.length > 0) {
        const part = await write(group, some, round === 0)
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
const isOfOthers = (error: Rejection | undefined) =>
  error !== undefined && ['constraint', 'row_missing', 'key_taken'].includes(error.code)

/** As many at a time as their verdicts may take. */
async function pushOthers(
  call: Call,
  chunk: ScopeImport,
  scope: string,
  changes: readonly Change[],
  first?: Done,
): Promise<ImportAnswer> {
  try {
    const { verdicts } = await pushScope(call, pushOf(chunk), scope, admitAll(changes), first)
    return { tally: tallyOf(verdicts.values()), rejected: rejectionsOf(verdicts) }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'answer_too_large' || changes.length === 1) throw error
    const half = changes.length >> 1
    const first = await pushOthers(call, chunk, scope, changes.slice(0, half))
    return joinImported([first, await pushOthers(call, chunk, scope, changes.slice(half))])
  }
}

const pushOf = (chunk: ScopeImport) => ({ ...chunk, atomic: false, return: 'lost', cursor: undefined }) as const

/** How a group is written. */
export function planGroup(call: Call, chunk: ScopeImport, scope: string, group: string | undefined): ScopeWrite {
  const { sql } = call
  const { client, answerBytesMax } = chunk
  if (group !== undefined) return planScope(call, pushOf({ ...chunk, client: group }), scope)
  const recordings = call.record(scope, call.receivedAt)
  return {
    ...{ scope, client, atomic: false, answerBytesMax },
    room: call.rooms?.enter(scope, { client, atomic: false, batch: call.batch }),
    plan: ({ parts, room, incarnation }) => ({
      passes: [],
      plan: planBulk(
        sql,
        scope,
        parts,
        { client, receivedAt: call.receivedAt, room, incarnation, recordings },
        call.transport,
      ),
    }),
  }
}

async function importAlone(
  call: Call,
  chunk: ScopeImport,
  scope: string,
  changes: readonly Change[],
  look: Store['batch'],
  first: ImportedBefore | undefined,
): Promise<ImportAnswer> {
  const of = (some: readonly Change[]) => new Map([[scope, some]])
  const looks = chunk.looks && !first?.settled
  const settled = looks ? (await findSettled(call, chunk, of(changes), look)).get(scope) : first?.settled
  const written = first?.done.get(undefined)
  const { done, rejected } = written
    ? { done: written, rejected: noRejections }
    : await writeScope(call, planGroup(call, chunk, scope, undefined), settled?.unsettled ?? changes)
  const before = { tally: settled?.tally ?? tallyOf([]), rejected }
  if (!done) return before
  const { plan, results, position } = done
  chunk.deletes.stored(countUnseenInBulk(plan, results))
  const tally = readTally(plan, results)
  if (tally.applied > 0 && position !== undefined) call.committed(scope, position)
  // Every line that was not written lost against a greater stamp, but for those that a trigger
  // swallowed: they are still not settled.
  const lost = written ? first?.swallowed : undefined
  const swallowed =
    tally.stale === 0
      ? []
      : (lost ?? (await lookAt(call, chunk.client, of(done.changes), look)).get(scope)?.unsettled ?? [])
  const after = { ...tally, stale: tally.stale - swallowed.length }
  return joinImported([before, { tally: after, rejected: new Map(swallowed.map(({ index }) => [index, refusal])) }])
}

/** What became of all of them. */
export function joinImported(parts: readonly ImportAnswer[]): ImportAnswer {
  const sum = (verdict: keyof Tally) => parts.reduce((all, { tally }) => all + tally[verdict], 0)
  return {
    tally: { applied: sum('applied'), duplicate: sum('duplicate'), stale: sum('stale') },
    rejected: new Map(parts.flatMap((part) => [...part.rejected])),
  }
}
