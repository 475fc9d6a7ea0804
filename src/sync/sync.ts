import type { DecodeContext } from '../model/change.ts'
import type { Cursor } from '../model/cursor-entry.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import type { Schema } from '../model/table.ts'
import { type Facts, noteAnswer, noteScopes, type SyncEvent, startFacts } from '../observe/facts.ts'
import { compileSchema } from '../sql/schema-sql.ts'
import type { ScopePage } from '../sql/scope-page.ts'
import type { Store } from '../stores/store.ts'
import type { ImportAnswer, Page, PullAnswer, PushAnswer, ReceiveAnswer } from '../wire/answer.ts'
import type { ImportRequest, PullRequest, PushRequest, ReceiveRequest } from '../wire/request.ts'
import { beginCall, type Call, type Core } from './call.ts'
import { inTurns } from './in-turns.ts'
import { joinPages } from './pull/join-pages.ts'
import { createPages } from './pull/read-page.ts'
import { readHeads, readScopes } from './pull/read-scopes.ts'
import { refuseAtomic } from './push/atomic.ts'
import { authorizeChange, authorizeNamed } from './push/authorize.ts'
import { type Decoded, decodeChanges } from './push/decode.ts'
import { importScope, joinImported } from './push/import-scope.ts'
import { receiveScope } from './push/inbox/receive-scope.ts'
import { type Carry, carryInParams } from './push/plan-bulk.ts'
import type { Recorder } from './push/planned.ts'
import { pushScope } from './push/push-scope.ts'
import { inOrder, joinVerdicts, rejectedVerdicts, rejectionsOf, tallyOf, tookEffect } from './push/verdicts.ts'
import { createQuotas, type QuotaOptions } from './quotas/quotas.ts'
import { createRooms, type RoomOptions } from './quotas/rooms.ts'
import { throwResync } from './resync.ts'

export interface SyncOptions extends QuotaOptions, RoomOptions {
  readonly schema: Schema
  readonly store: Store
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** How far a stamp may lie ahead of `now`, in milliseconds. */
  readonly clockDriftMsMax?: number
  /** A new incarnation: 1 to 32 of a-z and 0-9. */
  readonly incarnation?: () => string
  /**
   * Told of each scope in which rows were applied, and of the position that it moved on to, before
   * the answer.
   */
  readonly onCommit?: (scope: string, position: number) => void
  /**
   * What a push writes down in its own transaction, such as whom to tell of what was applied:
   * `createRecorder`. None: no statement more.
   */
  readonly record?: Recorder
  /**
   * How the rows of an import get to the database, where there is a faster way than as parameters.
   */
  readonly carry?: Carry
  /**
   * Told of each push, pull and sync once it is answered, failed ones included: for metrics.
   * `createApp` and `createSync` call it. What it throws harms nothing, and is logged the first
   * time.
   */
  readonly onSync?: (event: SyncEvent) => unknown
}

/** The four operations. Each throws a `Problem`, or a `StoreFault` of the store. */
export interface Operations {
  /** A push, or a sync, which asks for a page as well. Its changes are not decoded yet. */
  push(principal: Principal, request: PushRequest, more?: Received): Promise<PushAnswer>
  pull(principal: Principal, request: PullRequest, more?: Received): Promise<PullAnswer>
  /** A webhook, which takes effect once. Whoever signs it is trusted, and speaks for many. */
  receive(request: ReceiveRequest, more?: Received): Promise<ReceiveAnswer>
  /** A part of an import by a subject, which may say for each change where it goes. */
  importChunk(subject: string, request: ImportRequest, more?: Received): Promise<ImportAnswer>
}

/** How a request came. */
export interface Received {
  /** Filled while it runs. */
  readonly facts?: Facts
  /** The bytes of its body. None is known: any change may be too large. */
  readonly bytes?: number
}

/**
 * The way of a change set: decode, authorize, coalesce, plan, one batch per scope, reconcile,
 * answer. Everything that is not pure comes in here: the store, the clock, the random incarnation.
 */
export function createOperations(options: SyncOptions): Operations {
  const { schema, store, now = Date.now, clockDriftMsMax = limits.clockDriftMsMax } = options
  const { incarnation = randomIncarnation, record = () => [], carry = carryInParams } = options
  const sql = compileSchema(schema, store.dialect, store.limits)
  const [pages, rooms] = [createPages(sql), createRooms(sql, options)]
  const core: Core = { sql, store, pages, rooms, incarnation, carry, record, committed: tellSafely(options.onCommit) }
  const quotas = createQuotas(options)
  const begin = (facts: Facts) => beginCall(core, now() * 1000, facts)
  const contextOf = ({ receivedAt }: Call, bytes = Number.POSITIVE_INFINITY): DecodeContext => ({
    ...{ schema, now: receivedAt, clockDriftMsMax },
    measure: bytes > limits.changeBytesMax,
  })

  return {
    async push(principal, request, { facts = startFacts(), bytes } = {}) {
      const { changes, atomic, cursor, limit, client } = request
      facts.changes += changes.length
      checkScopes(principal)
      await quotas.countChanges(principal.subject, changes.length, false)
      const call = begin(facts)

      // 1 Decode each change and find its scope.
      const decoded = await decodeChanges(changes, contextOf(call, bytes), (one) => authorizeChange(one, principal))
      const written = [...decoded.byScope]
      checkAtomic(atomic, decoded)

      // 2 Read the scopes that are not written. A cursor that must resync is found before anything
      // is applied (P9). Where only one scope is written, its own batch looks at the cursor.
      const unwritten = [...principal.scopes.keys()].filter((scope) => !decoded.byScope.has(scope))
      const asks = cursor !== undefined && limit !== undefined ? { cursor, limit } : undefined
      const read = asks ? await readScopes(call, unwritten, asks.cursor, asks.limit) : new Map<string, ScopePage>()
      const looked = [...(asks ? [] : unwritten), ...(written.length > 1 ? decoded.byScope.keys() : [])]
      const heads = await readHeads(call, looked, cursor)
      throwResync(cursor, new Map([...[...read].map(([scope, { head }]) => [scope, head] as const), ...heads]))

      // 3 Write each scope by one batch, side by side: see push-scope.ts.
      if (atomic) await refuseAtomic(call.refusalsOf(client), decoded)
      const deletes = quotas.countDeletes(principal.subject, { sql, batch: call.batch, atomic })
      const part = { ...request, cursor, limit, deletes, answerBytesMax: shareOf(decoded) }
      const pushed = await inTurns(written, async ([scope, some]) => ({
        scope,
        ...(await pushScope(call, part, scope, some)),
      })).finally(deletes.end)

      // 4 Answer: every change has its verdict, and the page goes as far as the limit.
      const verdicts = inOrder(joinVerdicts([rejectedVerdicts(decoded.rejected), ...pushed.map((one) => one.verdicts)]))
      const pageOf = new Map([...read, ...pushed.map(({ scope, page }) => [scope, page] as const)])
      const page = asks && joinScopes(principal, asks, pageOf)
      noteAnswer(facts, verdicts, page)
      return { now: call.receivedAt, verdicts, page, removedScopes: removedScopes(cursor, principal) }
    },

    async pull(principal, request, { facts = startFacts() } = {}) {
      checkScopes(principal)
      const call = begin(facts)
      const { cursor, limit } = request
      const read = await readScopes(call, [...principal.scopes.keys()], cursor, limit)
      throwResync(cursor, new Map([...read].map(([scope, { head }]) => [scope, head])))
      const page = joinScopes(principal, request, read)
      noteAnswer(facts, [], page)
      return { now: call.receivedAt, page, removedScopes: removedScopes(cursor, principal) }
    },

    async receive(request, { facts = startFacts(), bytes } = {}) {
      const { source: client, id, grant, changes, atomic } = request
      facts.changes += changes.length
      const call = begin(facts)

      // 1 Decode each change and find its scope. One without a stamp is the newest.
      const context = { ...contextOf(call, bytes), stampless: true }
      const decoded = await decodeChanges(changes, context, (one) => authorizeNamed(one, grant))
      noteScopes(facts, [...decoded.byScope.keys()])
      checkAtomic(atomic, decoded)
      if (atomic) await refuseAtomic(call.refusalsOf(client), decoded)

      // 2 Write each scope with the webhook's id, and what became of it, in one batch.
      const receipt = { client, id, atomic, rejected: decoded.rejected, answerBytesMax: shareOf(decoded) }
      const received = await inTurns([...decoded.byScope], ([scope, some]) => receiveScope(call, receipt, scope, some))

      // 3 Answer. What took effect before outlasts what another scope recalls as rejected.
      const all = [rejectedVerdicts(decoded.rejected), ...received]
      const recalled = all.map((one) => rejectedVerdicts(rejectionsOf(one)))
      const verdicts = inOrder(joinVerdicts([...recalled, ...all.map(tookEffect)]))
      noteAnswer(facts, verdicts)
      return { now: call.receivedAt, verdicts }
    },

    async importChunk(subject, request, { facts = startFacts(), bytes } = {}) {
      const { changes, grant, cutDigits } = request
      facts.changes += changes.length
      await quotas.countChanges(subject, changes.length, true)
      const call = begin(facts)

      // 1 Decode each change and find its scope.
      const context = { ...contextOf(call, bytes), pulled: true, cutDigits }
      const decoded = await decodeChanges(changes, context, (one) => authorizeNamed(one, grant))

      // 2 Write each scope: see import-scope.ts.
      const deletes = quotas.countDeletes(subject, { sql, batch: call.batch, atomic: false })
      const part = { ...request, deletes, answerBytesMax: shareOf(decoded) }
      const imported = await inTurns([...decoded.byScope], ([scope, some]) =>
        importScope(call, part, scope, some),
      ).finally(deletes.end)

      // 3 Count.
      const { tally, rejected } = joinImported([{ tally: tallyOf([]), rejected: decoded.rejected }, ...imported])
      noteAnswer(facts, inOrder(rejectedVerdicts(rejected)), undefined, tally)
      return { tally, rejected }
    },
  }
}

function checkScopes({ scopes }: Principal): void {
  if (scopes.size === 0) throw new Problem('no_scope', 'The token grants no scope to read or write.')
}

function checkAtomic(atomic: boolean, { byScope }: Decoded): void {
  if (atomic && byScope.size > 1) throw new Problem('atomic_scopes', 'Send one atomic change set for each scope.')
}

/** What of the answer's bytes the verdicts of each scope may take. */
function shareOf({ byScope }: Decoded): number {
  return Math.floor(limits.answerBytesMax / Math.max(byScope.size, 1))
}

function joinScopes(
  { scopes }: Principal,
  { cursor, limit }: PullRequest,
  pages: ReadonlyMap<string, ScopePage | undefined>,
): Page {
  const parts = [...scopes.keys()].map((scope) => ({ scope, entry: cursor?.get(scope), page: pages.get(scope) }))
  return joinPages(parts, limit)
}

function removedScopes(cursor: Cursor | null | undefined, { scopes }: Principal): string[] {
  return [...(cursor?.keys() ?? [])].filter((scope) => !scopes.has(scope))
}

/** What is committed is answered, whatever becomes of a poke: losing one loses nothing (P15). */
function tellSafely(onCommit: SyncOptions['onCommit'] = () => {}): (scope: string, position: number) => void {
  return (scope, position) => {
    try {
      onCommit(scope, position)
    } catch {}
  }
}

function randomIncarnation(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16)
}
