import { type Change, decodeChange } from '../model/change.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import type { Schema } from '../model/table.ts'
import { nextTurn, turnChanges } from '../model/turn.ts'
import type { Tally, Verdict } from '../model/verdict.ts'
import { countVerdicts, type Facts, noteScopes, type SyncEvent, startFacts } from '../observe/facts.ts'
import { compileSchema } from '../sql/schema-sql.ts'
import type { ScopePage } from '../sql/scope-page.ts'
import { retryConflicts, type Store } from '../stores/store.ts'
import type { SyncAnswer } from '../wire/answer.ts'
import type { SyncRequest } from '../wire/request.ts'
import { joinPages } from './pull/join-pages.ts'
import { createPages } from './pull/read-page.ts'
import { createAllowance } from './push/allowance.ts'
import { authorizeChange, authorizeNamed } from './push/authorize.ts'
import { type Carry, carryInParams } from './push/plan-bulk.ts'
import type { Recorder } from './push/planned.ts'
import { createRefusals } from './push/refusals.ts'
import { createRehearse } from './push/rehearse.ts'
import { createWriter, rejectAtomic, rejectionsOf } from './push/write-scope.ts'
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

/**
 * Runs requests that are decoded, with changes that are not. Throws a `Problem`, or a `StoreFault`
 * of the store.
 */
export type RunSync = (
  principal: Principal,
  request: SyncRequest,
  facts?: Facts,
  bodyBytes?: number,
) => Promise<SyncAnswer>

/**
 * The way of a change set: decode, authorize, coalesce, compile, one batch per scope, reconcile,
 * answer. Everything that is not pure comes in here: the store, the clock, the random incarnation.
 */
export function createRun(options: SyncOptions): RunSync {
  const { schema, store, now = Date.now, clockDriftMsMax = limits.clockDriftMsMax } = options
  const { incarnation = randomIncarnation, record = () => [] } = options
  const committed = tellSafely(options.onCommit)
  const sql = compileSchema(schema, store.dialect, store.limits)
  const pagesOf = createPages(sql)
  const quotas = createQuotas(options)
  const rooms = createRooms(sql, options)

  return async function run(principal, request, facts = startFacts(), bodyBytes = Number.POSITIVE_INFINITY) {
    const { cursor, limit } = request
    facts.changes += request.changes.length
    const { webhook, bulk } = request
    const grant = webhook ?? request.grant
    if (principal.scopes.size === 0 && !grant)
      throw new Problem('no_scope', 'The token grants no scope to read or write.')
    // Whoever signs webhooks is trusted, and speaks for many.
    if (!webhook) await quotas.countChanges(principal.subject, request.changes.length, request.grant !== undefined)
    const receivedAt = now() * 1000
    async function counted<Result>(work: () => Promise<Result>): Promise<Result> {
      const began = performance.now()
      try {
        return await retryConflicts(work)
      } finally {
        facts.databaseMs += performance.now() - began
      }
    }
    const look: Store['batch'] = (scope, statements) => counted(() => store.batch(scope, statements))
    const batch: Store['batch'] = async (scope, statements) => {
      await request.after
      return look(scope, statements)
    }

    // 1 Decode each change, 2 authorize it: what is wrong with one is its own rejection and harms
    // no other (P12).
    const context = {
      schema,
      now: receivedAt,
      clockDriftMsMax,
      measure: bodyBytes > limits.changeBytesMax,
      stampless: webhook !== undefined,
      pulled: request.grant !== undefined,
      cutDigits: request.cutDigits,
    }
    const authorize = (change: Change) => (grant ? authorizeNamed(change, grant) : authorizeChange(change, principal))
    const verdicts: (Verdict | undefined)[] = []
    const changesByScope = new Map<string, Change[]>()
    for (const [index, input] of request.changes.entries()) {
      if (index > 0 && index % turnChanges === 0) await nextTurn()
      const decoded = decodeChange(input, index, context)
      const authorized = decoded.change ? authorize(decoded.change) : decoded
      if (authorized.error) verdicts[index] = { verdict: 'rejected', error: authorized.error }
      else if (decoded.change) push(changesByScope, authorized.scope, decoded.change)
    }
    if (webhook) noteScopes(facts, [...changesByScope.keys()])
    if (request.atomic && changesByScope.size > 1) {
      throw new Problem('atomic_scopes', 'Send one atomic change set for each scope.')
    }

    // 3 Read the scopes that are not written. A cursor that must resync is found before anything is
    // applied (P9).
    const asksForPage = cursor !== undefined && !request.checksOnly
    const pages = new Map<string, ScopePage>()
    const unwritten = [...principal.scopes.keys()].filter((scope) => !changesByScope.has(scope))
    let [rowsLeft, textLeft] = [limit, limits.pageBytesMax]
    await inTurns(asksForPage ? unwritten : [], async (scope) => {
      // Once the answer is full, the rest is asked for little more than its heads.
      const wish = pagesOf.wish(scope, cursor, rowsLeft > 0 && textLeft > 0 ? limit : 1)
      const page = await pagesOf.fetch(batch, scope, wish)
      pages.set(scope, page)
      rowsLeft -= page.count
      textLeft -= page.rows.length
    })
    const heads = new Map([...pages].map(([scope, { head }]) => [scope, head]))
    // Where only one scope is written, its own batch looks at the cursor.
    const written = changesByScope.size > 1 ? [...changesByScope.keys()] : []
    const looked = [...(asksForPage ? [] : unwritten), ...written].filter((scope) => cursor?.has(scope))
    await inTurns(looked, async (scope) => {
      heads.set(scope, await pagesOf.fetchHead(batch, scope))
    })
    throwResync(cursor, heads)

    // 4 Coalesce, compile, one batch per scope side by side, reconcile: see write.ts.
    const tally: Tally = { applied: 0, duplicate: 0, stale: 0 }
    const ofStore = store.rehearse
    const allowance = createAllowance()
    const refusals = createRefusals({
      ...{ sql, batch, client: request.client, incarnation, allowance },
      rehearse: createRehearse({
        ...{ sql, batch, allowance },
        rehearse: ofStore && ((scope, rehearsal) => counted(() => ofStore(scope, rehearsal))),
      }),
    })
    const deletes = quotas.countDeletes(principal.subject, { sql, batch, atomic: request.atomic })
    const write = createWriter({
      refusals,
      unseen: deletes.stored,
      rooms,
      ...{ tally, carry: options.carry ?? carryInParams },
      ...{ sql, pages: pagesOf, batch, look, request, receivedAt, incarnation, committed },
      answerBytesMax: Math.floor(limits.answerBytesMax / Math.max(changesByScope.size, 1)),
      record: (scope) => record(scope, receivedAt),
    })
    if (request.atomic) await rejectAtomic(verdicts, changesByScope, write)
    await inTurns([...changesByScope], async ([scope, changes]) => {
      const admitted = webhook ? changes : await deletes.admit(scope, changes, verdicts)
      const page = await write.apply(scope, admitted, verdicts)
      if (page) pages.set(scope, page)
    }).finally(deletes.end)

    // 5 Answer: every change has its verdict, and the page goes as far as the limit.
    const scopes = [...principal.scopes.keys()].map((scope) => ({
      scope,
      entry: cursor?.get(scope),
      page: pages.get(scope),
    }))
    const page = asksForPage ? joinPages(scopes, limit) : undefined
    // A webhook that was sent again with other changes keeps the verdicts of those that took
    // effect.
    const given = (webhook || bulk ? verdicts.filter((verdict) => verdict !== undefined) : verdicts) as Verdict[]
    countVerdicts(facts, given, tally)
    facts.rows += page?.count ?? 0
    return {
      now: receivedAt,
      verdicts: given,
      ...(bulk && { bulk: { ...tally, rejections: rejectionsOf(verdicts) } }),
      page,
      removedScopes: [...(cursor?.keys() ?? [])].filter((scope) => !principal.scopes.has(scope)),
    }
  }
}

function push<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key)
  if (list) list.push(item)
  else lists.set(key, [item])
}

/**
 * Side by side, but not too many at once. Waits for all that began, so that nothing goes on after
 * an error.
 */
export async function inTurns<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += limits.scopesAtOnceMax) {
    const done = await Promise.allSettled(items.slice(from, from + limits.scopesAtOnceMax).map(run))
    for (const one of done) if (one.status === 'rejected') throw one.reason
  }
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
