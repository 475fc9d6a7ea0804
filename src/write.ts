import type { Recorder } from './deliveries/record.ts'
import { Problem, type Rejection, rejection } from './errors.ts'
import { limits } from './limits.ts'
import type { Pages } from './pages.ts'
import { sift } from './sift.ts'
import { type Store, StoreFault } from './stores/store.ts'
import type { Change } from './sync/change.ts'
import { readClaim, readRecalled } from './sync/claim.ts'
import { coalesce } from './sync/coalesce.ts'
import { compilePush, type Planned, type PushWish, type Sql } from './sync/compile.ts'
import { addTally, type Carry, compileBulk, compilePeek, readPeek, type Tally } from './sync/compile-bulk.ts'
import { type Cursor, checkCursor, formatCursor, type ResyncReason, type ScopeHead } from './sync/cursor.ts'
import { parseHead, type ScopePage } from './sync/page.ts'
import { markConflicts, reconcile, type Verdict } from './sync/reconcile.ts'
import type { SyncRequest } from './sync/request.ts'
import { rowMissing } from './sync/stamp.ts'

/** Writes the changes of one scope. */
export interface Writer {
  /** Applies what the database takes, gives each change its verdict, and the page where the request asks for one. */
  apply(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[]): Promise<ScopePage | undefined>
  /** Finds the changes that the database refuses, by their index, without keeping anything. */
  refused(scope: string, changes: readonly Change[]): Promise<Map<number, Rejection>>
}

export interface WriterOptions {
  readonly sql: Sql
  readonly pages: Pages
  readonly batch: Store['batch']
  /** A batch that does not wait for the chunk before it. */
  readonly look: Store['batch']
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
  /** What to write down of a push to a scope: whom to tell of it. */
  readonly record: (scope: string) => ReturnType<Recorder>
}

export function createWriter(options: WriterOptions): Writer {
  const { sql, pages, batch, look, request, answerBytesMax, receivedAt, incarnation, committed, record } = options
  const { tally, carry } = options
  const { client, cursor, atomic, webhook, bulk } = request
  const wishOf = (scope: string) => ({
    client,
    return: request.return,
    atomic,
    receivedAt,
    incarnation: incarnation(),
    entry: cursor?.get(scope),
  })

  /** Weighs the answer only where it may be too large: in scopes that hold a large row, the first time in a second try. */
  async function runBounded(scope: string, compile: (answer: PushWish['answer']) => readonly Planned[]) {
    for (;;) {
      const weigh = pages.heavy.has(scope)
      const plan = compile({ bytesMax: answerBytesMax, weigh })
      try {
        return { plan, results: await batch(scope, plan) }
      } catch (fault) {
        if (!(fault instanceof StoreFault) || fault.marker !== 'driftline_large') throw fault
        if (weigh) throw answerTooLarge()
        pages.heavy.add(scope)
      }
    }
  }

  async function apply(scope: string, changes: readonly Change[], verdicts: (Verdict | undefined)[]) {
    let accepted = changes
    if (bulk?.peek) {
      accepted = await peek(scope, changes)
      if (accepted.length === 0) return undefined
    }
    for (let tries = 1; ; tries++) {
      const passes = bulk ? [] : coalesce(accepted)
      const page = cursor === undefined ? undefined : pages.wish(scope, cursor, request.limit)
      const inbox = webhook && { id: webhook.id, errors: rejectionsOf(verdicts) }
      const wish = { ...wishOf(scope), inbox, probe: false, recordings: record(scope) }
      try {
        const { plan, results } = await runBounded(scope, (answer) =>
          bulk
            ? compileBulk(sql, scope, accepted, wish, carry)
            : compilePush(sql, scope, passes, { ...wish, answer }, page),
        )
        const appliedBefore = tally.applied
        if (bulk) addTally(plan, results, tally)
        else if (webhook) {
          readClaim(plan, results, verdicts)
          markConflicts(sql.dialect, { scope, passes, plan, results }, client, verdicts)
        } else reconcile(sql.dialect, { scope, passes, plan, results }, client, request.return, verdicts)
        const head = parseHead(results[plan.findIndex(({ role }) => role.kind === 'head')] ?? [])
        const isApplied = ({ index }: Change) => verdicts[index]?.verdict === 'applied'
        if (head && (tally.applied > appliedBefore || accepted.some(isApplied))) committed(scope, head.position)
        return page && pages.read(scope, results.at(-1))
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault
        if (webhook && fault.marker === 'driftline_repeated') {
          const [recalled] = await batch(scope, [{ sql: sql.scope.recall, params: [scope, client, webhook.id] }])
          if (readRecalled(recalled, verdicts)) return undefined
          throw new StoreFault('transient', { message: 'the webhook is no longer in the inbox' })
        }
        if (fault.marker === 'driftline_resync')
          throwResync(cursor, new Map([[scope, (await pages.fetch(batch, scope, pages.wish(scope, null, 1))).head]]))
        else if (fault.kind !== 'refused' && fault.marker !== 'driftline_missing') throw fault
        // Whoever is refused again and again, or resynced and then not, meets a database that changes meanwhile.
        if (tries === 3) throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
        if (fault.marker === 'driftline_resync') continue
        const rejections = await sift(accepted, (some) => probe(scope, some))
        if (atomic) throwAtomic(rejections)
        for (const [index, error] of rejections) verdicts[index] = { verdict: 'rejected', error }
        accepted = accepted.filter(({ index }) => !rejections.has(index))
      }
    }
  }

  /** What is not settled. It is seen as it was before the chunk before, which is the same where nothing of that was applied. */
  async function peek(scope: string, changes: readonly Change[]): Promise<readonly Change[]> {
    const plan = compilePeek(sql, scope, changes, client)
    const early = look(scope, plan)
    early.catch(() => {})
    const before = await request.after
    const results = before && before.applied > 0 ? await look(scope, plan) : await early
    return readPeek(changes, plan, results, tally)
  }

  /** Why the database would not take these changes, or nothing. */
  async function probe(scope: string, changes: readonly Change[]): Promise<Rejection | undefined> {
    try {
      const wish = { ...wishOf(scope), entry: undefined, probe: true }
      await runBounded(scope, (answer) =>
        bulk
          ? compileBulk(sql, scope, changes, wish, carry)
          : compilePush(sql, scope, coalesce(changes), { ...wish, answer }),
      )
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault
      if (fault.marker === 'driftline_probe') return undefined
      if (fault.marker === 'driftline_missing') return rowMissing
      if (fault.kind === 'refused') return refusal
      throw fault
    }
    throw new TypeError('A probe must never be kept')
  }

  return { apply, refused: (scope, changes) => sift(changes, (some) => probe(scope, some)) }
}

const answerTooLarge = () =>
  new Problem(
    'answer_too_large',
    `The rows of the verdicts have more than ${limits.answerBytesMax} bytes. Send fewer changes at a time.`,
  )

const refusal = rejection(
  'constraint',
  'The database does not take this change: it breaks a constraint or trigger of the table.',
)

/** Rejections so far, by their places: of changes that the database has not seen, or does not take. */
export function rejectionsOf(verdicts: readonly (Verdict | undefined)[]): Record<number, Rejection> {
  const errors: Record<number, Rejection> = {}
  for (const [index, verdict] of verdicts.entries()) if (verdict?.verdict === 'rejected') errors[index] = verdict.error
  return errors
}

/**
 * All or nothing: where a change was rejected already, nothing is written. The answer names the first that is, which
 * may be one before it that only the database can refuse.
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

/** Ends the request where the cursor's part for one of these scopes can no longer be answered from (P9, P16). */
export function throwResync(
  cursor: Cursor | null | undefined,
  heads: ReadonlyMap<string, ScopeHead | undefined>,
): void {
  const reasons = new Map<string, ResyncReason>()
  for (const [scope, head] of heads) {
    const entry = cursor?.get(scope)
    const reason = entry && checkCursor(entry, head)
    if (reason) reasons.set(scope, reason)
  }
  if (!cursor || reasons.size === 0) return
  const reason: ResyncReason = [...reasons.values()].includes('restored') ? 'restored' : 'pruned'
  const scopes = [...reasons].filter(([, why]) => why === reason).map(([scope]) => scope)
  const rest = formatCursor(new Map([...cursor].filter(([scope]) => !scopes.includes(scope))))
  throw new Problem('resync', 'Drop the rows of these scopes, keep the outbox, and go on from this cursor.', {
    members: { reason, scopes, cursor: rest },
  })
}
