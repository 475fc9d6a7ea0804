import type { Change } from '../../model/change.ts'
import { Problem, type Rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { refusal } from '../../model/stamp.ts'
import { nextTurn, turnChanges } from '../../model/turn.ts'
import type { Tally, Verdict } from '../../model/verdict.ts'
import { markerIn } from '../../sql/markers.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { parseHead, type ScopePage } from '../../sql/scope-page.ts'
import { type Store, StoreFault } from '../../stores/store.ts'
import type { SyncRequest } from '../../wire/request.ts'
import type { Pages } from '../pull/read-page.ts'
import type { RoomOfScope, Rooms } from '../quotas/rooms.ts'
import { throwResync } from '../resync.ts'
import { coalesce } from './coalesce.ts'
import { readClaim, readRecalled, rejectLetters } from './inbox/claim.ts'
import { compilePush } from './plan.ts'
import { addTally, type Carry, compileBulk, compilePeek, countUnseenInBulk, readPeek } from './plan-bulk.ts'
import type { Planned, PushWish, Recording } from './planned.ts'
import { countUnseen, markConflicts, reconcile, swallowedOf } from './reconcile.ts'
import { isRefusal, isSuspect, type Refusals } from './refusals.ts'
import { foldedAndSwallowed, withoutRow } from './swallowed.ts'

/** Writes the changes of one scope. */
export interface Writer {
  /**
   * Applies what the database takes, gives each change its verdict, and the page where the request
   * asks for one.
   */
  apply(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[]): Promise<ScopePage | undefined>
  /**
   * Finds the changes of an atomic set that the database refuses, by their index, without keeping
   * anything.
   */
  refused(scope: string, changes: readonly Change[]): Promise<ReadonlyMap<number, Rejection>>
}

export interface WriterOptions {
  readonly sql: Sql
  readonly pages: Pages
  readonly batch: Store['batch']
  /** A batch that does not wait for the chunk before it. */
  readonly look: Store['batch']
  readonly refusals: Refusals
  readonly request: SyncRequest
  /** For the rows that the verdicts of one scope repeat. */
  readonly answerBytesMax: number
  /** The server's time in microseconds. */
  readonly receivedAt: number
  readonly incarnation: () => string
  /** Where an import is counted, and how its rows get to the database. */
  readonly tally: Tally
  readonly carry: Carry
  /** Told of what was applied. */
  readonly committed: (scope: string, position: number) => void
  /** Told how many tombstones were stored of ids that had no row. */
  readonly unseen: (count: number) => void
  /** What scopes may hold, where that is limited. */
  readonly rooms: Rooms | undefined
  /** What to write down of a push to a scope: whom to tell of it. */
  readonly record: (scope: string) => readonly Recording[]
}

/**
 * How often a change set is written that the database refuses each time, and takes whenever it is
 * tried.
 */
const writesMax = 5

export function createWriter(options: WriterOptions): Writer {
  const { sql, pages, batch, look, refusals, request, answerBytesMax, receivedAt, committed, record } = options
  const { tally, carry } = options
  const { client, cursor, atomic, webhook, bulk } = request
  const markerOf = (fault: StoreFault) => markerIn(fault.message, sql.nonce)

  /**
   * Weighs the answer only where it may be too large: in scopes that hold a large row, the first
   * time in a second try.
   */
  async function runBounded(scope: string, compile: (answer: PushWish['answer']) => readonly Planned[]) {
    let weigh = pages.heavy.has(scope)
    for (;;) {
      const plan = compile({ bytesMax: answerBytesMax, weigh })
      try {
        return { plan, results: await batch(scope, plan) }
      } catch (fault) {
        if (!(fault instanceof StoreFault) || markerOf(fault) !== 'driftline_large') throw fault
        if (weigh) throw answerTooLarge()
        pages.heavy.add(scope)
        weigh = true
      }
    }
  }

  async function apply(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[], again = false) {
    let accepted = bulk?.peek ? await peek(scope, changes) : changes
    const room = options.rooms?.enter(scope, { client, atomic, batch })
    if (room) accepted = await room.before(accepted, verdicts)
    // Where the database takes the changes one part after the other and not together, the parts.
    let parts: (readonly Change[])[] = again ? accepted.map((change) => [change]) : [accepted]
    let found: readonly (readonly Change[])[] = []
    for (let writes = 1; ; writes++) {
      // Whatever is refused: with nothing left there is nothing to write.
      if (accepted.length === 0) return again || cursor === undefined ? undefined : readPage(scope)
      try {
        return await write(scope, parts, accepted, verdicts, { again, room })
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault
        const marker = markerOf(fault)
        if (webhook && marker === 'driftline_repeated') return recall(scope, webhook.id, verdicts)
        if (room && marker === 'driftline_full') {
          accepted = await room.look(accepted, verdicts)
          const admitted = new Set(accepted)
          parts = parts.map((part) => part.filter((change) => admitted.has(change)))
          // Nothing was refused: it was not known whether there is room.
          writes--
          continue
        }
        if (marker === 'driftline_resync') {
          throwResync(cursor, new Map([[scope, await pages.fetchHead(batch, scope)]]))
        } else if (marker === undefined && !isRefusal(fault) && !isSuspect(fault)) throw fault
        // Whoever is refused again and again, or resynced and then not, meets a database that
        // changes meanwhile.
        if (writes === writesMax) {
          if (marker !== undefined || fault.kind !== 'refused')
            throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
          const rejected = refusals.giveUp(accepted, fault)
          if (atomic) throwAtomic(rejected)
          for (const [index, error] of rejected) verdicts[index] = { verdict: 'rejected', error }
          accepted = []
          continue
        }
        if (marker === 'driftline_resync') continue
        if (atomic) {
          const searched = await refusals.findAtomic(scope, accepted, fault)
          throwAtomic(searched.rejected)
          if (searched.parts.length > 0) parts = [...searched.parts]
          continue
        }
        if (found.length > 1) {
          // What passes alone does not pass together.
          parts = [...found]
          found = []
          continue
        }
        const searched = await refusals.find(scope, accepted, fault)
        for (const [index, error] of searched.rejected) verdicts[index] = { verdict: 'rejected', error }
        accepted = accepted.filter(({ index }) => !searched.rejected.has(index))
        // Nothing was refused: it is the order that matters.
        const isOrder = searched.rejected.size === 0
        parts = isOrder ? [...searched.parts] : [accepted]
        found = isOrder ? [] : searched.parts
      }
    }
  }

  async function write(
    scope: string,
    parts: readonly (readonly Change[])[],
    accepted: readonly Change[],
    verdicts: (Verdict | undefined)[],
    { again, room }: { readonly again: boolean; readonly room: RoomOfScope | undefined },
  ): Promise<ScopePage | undefined> {
    const passes = bulk ? [] : coalesce(parts)
    const asksForPage = cursor !== undefined && !request.checksOnly && !again
    const page = asksForPage ? pages.wish(scope, cursor, request.limit) : undefined
    const wish = {
      ...{ client, return: request.return, atomic, receivedAt, incarnation: options.incarnation() },
      room: room?.bound(accepted),
      entry: cursor?.get(scope),
      inbox: again ? undefined : webhook && { id: webhook.id, errors: rejectionsOf(verdicts) },
      recordings: record(scope),
    }
    // A large set is compiled, sent, read and answered in turns, so that others are answered in
    // between.
    const isLarge = accepted.length > turnChanges
    if (isLarge) await nextTurn()
    const { plan, results } = await runBounded(scope, (answer) =>
      bulk ? compileBulk(sql, scope, parts, wish, carry) : compilePush(sql, scope, passes, { ...wish, answer }, page),
    )
    if (isLarge) await nextTurn()
    const appliedBefore = tally.applied
    const done = { scope, passes, plan, results }
    const lock = plan.findIndex(({ role }) => role.kind === 'head')
    const head = parseHead(results[lock] ?? [])
    if (head) room?.written(Number(plan[lock]?.params[2]), head.position)
    options.unseen(bulk ? countUnseenInBulk(plan, results) : countUnseen(sql.dialect, done))
    if (bulk) {
      // Every other line that was not written lost against a greater stamp, but for those that a
      // trigger swallowed.
      if (addTally(plan, results, tally) > 0) await rejectSwallowed(scope, accepted, verdicts)
    } else if (webhook && !again) {
      const claimed = readClaim(plan, results, verdicts)
      markConflicts(sql.dialect, done, client, verdicts)
      const swallowed = swallowedOf(sql.dialect, done, verdicts)
      for (const index of swallowed) verdicts[index] = { verdict: 'rejected', error: refusal }
      if (claimed && swallowed.size > 0) {
        await applyOneByOne(scope, accepted, verdicts)
        for (const index of swallowed) verdicts[index] = withoutRow(verdicts[index])
        const rejected = new Set([...swallowed].filter((index) => verdicts[index]?.verdict === 'rejected'))
        const outcome = rejectLetters(claimed, rejected)
        await batch(scope, [{ sql: sql.scope.rewriteClaim, params: [scope, client, webhook.id, outcome] }])
      }
    } else reconcile(sql.dialect, done, client, request.return, verdicts)
    const isApplied = ({ index }: Change) => verdicts[index]?.verdict === 'applied'
    if (head && (tally.applied > appliedBefore || accepted.some(isApplied))) committed(scope, head.position)
    if (!bulk && !webhook && !again) await applyOneByOne(scope, accepted, verdicts)
    return page && pages.read(scope, results.at(-1))
  }

  /** What was swallowed of rows that were folded comes once more, each change by itself. */
  async function applyOneByOne(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[]) {
    const folded = foldedAndSwallowed(changes, verdicts)
    if (folded.length > 0) await apply(scope, folded, verdicts, true)
  }

  /** Nothing is written, and the scope is read as any other. */
  async function readPage(scope: string): Promise<ScopePage | undefined> {
    if (request.checksOnly) {
      throwResync(cursor, new Map([[scope, await pages.fetchHead(batch, scope)]]))
      return undefined
    }
    const page = await pages.fetch(batch, scope, pages.wish(scope, cursor, request.limit))
    throwResync(cursor, new Map([[scope, page.head]]))
    return page
  }

  async function recall(scope: string, id: string, verdicts: (Verdict | undefined)[]): Promise<undefined> {
    const [recalled] = await batch(scope, [{ sql: sql.scope.recall, params: [scope, client, id] }])
    if (readRecalled(recalled, verdicts)) return undefined
    throw new StoreFault('transient', { message: 'the webhook is no longer in the inbox' })
  }

  /**
   * What is not settled. It is seen as it was before the chunk before, which is the same where
   * nothing of that was applied.
   */
  async function peek(scope: string, changes: readonly Change[]): Promise<readonly Change[]> {
    const plan = compilePeek(sql, scope, changes, client)
    const early = look(scope, plan)
    early.catch(() => {})
    const before = await request.after
    const results = before && before.applied > 0 ? await look(scope, plan) : await early
    return readPeek(changes, plan, results, tally)
  }

  /** Rejects the lines of an import that are still not settled after they were written. */
  async function rejectSwallowed(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[]) {
    const plan = compilePeek(sql, scope, changes, client)
    const swallowed = readPeek(changes, plan, await look(scope, plan), { applied: 0, duplicate: 0, stale: 0 })
    for (const { index } of swallowed) verdicts[index] = { verdict: 'rejected', error: refusal }
    tally.stale -= swallowed.length
  }

  const refused: Writer['refused'] = async (scope, changes) => (await refusals.findAtomic(scope, changes)).rejected
  return { apply: (scope, changes, verdicts) => apply(scope, changes, verdicts), refused }
}

const answerTooLarge = () =>
  new Problem(
    'answer_too_large',
    `The rows of the verdicts have more than ${limits.answerBytesMax} bytes. Send fewer changes at a time.`,
  )

/**
 * Rejections so far, by their places: of changes that the database has not seen, or does not take.
 */
export function rejectionsOf(verdicts: readonly (Verdict | undefined)[]): Record<number, Rejection> {
  const errors: Record<number, Rejection> = {}
  for (const [index, verdict] of verdicts.entries()) if (verdict?.verdict === 'rejected') errors[index] = verdict.error
  return errors
}
/**
 * All or nothing: where a change was rejected already, nothing is written. The answer names the
 * first that is, which may be one before it that only the database can refuse.
 */
export async function rejectAtomic(
  verdicts: readonly (Verdict | undefined)[],
  changesByScope: ReadonlyMap<string, readonly Change[]>,
  writer: Writer,
): Promise<void> {
  const early = verdicts.findIndex((verdict) => verdict?.verdict === 'rejected')
  const verdict = verdicts[early]
  if (verdict?.verdict !== 'rejected') return
  const rejections = new Map([[early, verdict.error]])
  for (const [scope, changes] of changesByScope) {
    for (const [index, error] of await writer.refused(scope, changes)) rejections.set(index, error)
  }
  throwAtomic(rejections)
}

function throwAtomic(rejections: ReadonlyMap<number, Rejection>): void {
  if (rejections.size === 0) return
  const index = Math.min(...rejections.keys())
  const error = rejections.get(index)
  throw new Problem('atomic_rejected', `Nothing was applied: the change at ${index} was rejected. ${error?.detail}`, {
    members: { index, error },
  })
}
