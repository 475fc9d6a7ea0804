import { Problem, type Rejection, rejection } from './errors.ts'
import { limits } from './limits.ts'
import { retryConflicts, type Store, StoreFault } from './stores/store.ts'
import { authorizeChange, type Principal } from './sync/authorize.ts'
import { type Change, decodeChange } from './sync/change.ts'
import { coalesce } from './sync/coalesce.ts'
import { compilePage, compilePush, compileSchema, type Planned, type PushWish } from './sync/compile.ts'
import { type Cursor, type CursorEntry, checkCursor, formatCursor, type ResyncReason, type ScopeHead } from './sync/cursor.ts'
import { joinPages, type Page, parseHead, parsePage, type ScopePage } from './sync/page.ts'
import { reconcile, type Verdict } from './sync/reconcile.ts'
import type { SyncRequest } from './sync/request.ts'
import type { Schema } from './sync/table.ts'

export interface SyncOptions {
  readonly schema: Schema
  readonly store: Store
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** How far a stamp may lie ahead of `now`, in milliseconds. */
  readonly clockDriftMsMax?: number
  /** A new incarnation: 1 to 32 of a-z and 0-9. */
  readonly incarnation?: () => string
}

/** The answer to a sync, a push (no page) or a pull (no verdicts); rows are JSON text as the database wrote them. */
export interface SyncAnswer {
  /** The server's time in microseconds. */
  readonly now: number
  readonly verdicts: readonly Verdict[]
  readonly page: Page | undefined
  /** Scopes of the cursor that the principal no longer has. */
  readonly removedScopes: readonly string[]
  /** What the database took, in milliseconds. */
  readonly databaseMs: number
}

/** Runs requests that are decoded, with changes that are not. Throws a `Problem`. */
export type RunSync = (principal: Principal, request: SyncRequest, bodyBytes?: number) => Promise<SyncAnswer>

/**
 * The way of a change set: decode, authorize, coalesce, compile, one batch per scope, reconcile, answer. Everything
 * that is not pure comes in here: the store, the clock, the random incarnation.
 */
export function createRun({ schema, store, now = Date.now, clockDriftMsMax = limits.clockDriftMsMax, incarnation = randomIncarnation }: SyncOptions): RunSync {
  const sql = compileSchema(schema, store.dialect)

  return async function run(principal, request, bodyBytes = Number.POSITIVE_INFINITY) {
    if (principal.scopes.size === 0) throw new Problem('no_scope', 'The token is valid, but grants no scope to read or write.')
    const began = now()
    const meter = { ms: 0 }
    const verdicts: (Verdict | undefined)[] = []

    // 1 Decode: what is wrong with a change is its own rejection.
    const context = { schema, now: began * 1000, clockDriftMsMax, measure: bodyBytes > limits.changeBytesMax }
    const changesByScope = new Map<string, Change[]>()
    for (const [index, input] of request.changes.entries()) {
      const decoded = decodeChange(input, index, context)
      // 2 Authorize: each change has a scope that the principal may write.
      const authorized = decoded.change ? authorizeChange(decoded.change, principal) : decoded
      if (authorized.error) {
        verdicts[index] = { verdict: 'rejected', error: authorized.error }
        if (request.atomic) break
      } else if (decoded.change) {
        const changes = changesByScope.get(authorized.scope)
        if (changes) changes.push(decoded.change)
        else changesByScope.set(authorized.scope, [decoded.change])
      }
    }
    if (request.atomic && changesByScope.size > 1) throw new Problem('atomic_scopes', 'Send one atomic change set for each scope.')

    // 3 Read the scopes that are not written: a cursor that must resync is found before anything is applied (P9).
    const { cursor } = request
    const entryOf = (scope: string) => cursor?.get(scope)
    const pages = new Map<string, ScopePage>()
    const unwritten = cursor === undefined ? [] : [...principal.scopes.keys()].filter((scope) => !changesByScope.has(scope))
    await inTurns(unwritten, async (scope) => {
      const [page] = await batch(meter, scope, [compilePage(sql, scope, { entry: entryOf(scope), limit: request.limit })])
      pages.set(scope, parsePage(page ?? []))
    })
    const heads = new Map([...pages].map(([scope, page]) => [scope, page.head]))
    if (changesByScope.size > 1 && cursor) {
      await inTurns([...changesByScope.keys()], async (scope) => void heads.set(scope, await readHead(meter, scope)))
    }
    throwResync(cursor, heads)

    const [early] = verdicts.flatMap((verdict, index) => (verdict?.verdict === 'rejected' ? [{ index, error: verdict.error }] : []))
    if (request.atomic && early) {
      // All or nothing, and the first change that is rejected ends it: one before it, perhaps, that the database refuses.
      const wish = { client: request.client, return: request.return, atomic: true, incarnation: incarnation(), entry: undefined, probe: true }
      for (const [scope, changes] of changesByScope) await settle(meter, scope, [], changes, wish, rejectAtomic)
      rejectAtomic(early.index, early.error)
    }

    // 4 Write: one batch per scope, side by side, each with the page of its scope.
    await inTurns([...changesByScope], async ([scope, changes]) => {
      const wish = { client: request.client, return: request.return, atomic: request.atomic, incarnation: incarnation(), entry: entryOf(scope), probe: false }
      const limit = cursor === undefined ? undefined : request.limit
      const page = await push(meter, scope, changes, wish, limit, verdicts)
      if (page) pages.set(scope, page)
    })

    // 5 Answer.
    const scopes = [...principal.scopes.keys()].map((scope) => ({ scope, entry: entryOf(scope), page: pages.get(scope) }))
    return {
      now: began * 1000,
      verdicts: verdicts as Verdict[],
      page: cursor === undefined ? undefined : joinPages(scopes, request.limit),
      removedScopes: cursor ? [...cursor.keys()].filter((scope) => !principal.scopes.has(scope)) : [],
      databaseMs: meter.ms,
    }
  }

  /** Applies the changes of one scope. Where the database refuses them, finds out which, rejects those and applies the rest. */
  async function push(meter: Meter, scope: string, changes: readonly Change[], wish: PushWish, limit: number | undefined, verdicts: (Verdict | undefined)[]) {
    let accepted = changes
    for (let tries = 1; ; tries++) {
      const passes = coalesce(accepted)
      const page = limit === undefined ? undefined : { entry: wish.entry, limit }
      const plan = compilePush(sql, scope, passes, wish, page)
      try {
        const results = await batch(meter, scope, plan)
        reconcile(passes, plan, results, wish.client, wish.return, verdicts)
        return page && parsePage(results.at(-1) ?? [])
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault
        if (fault.marker === 'driftline_resync') throwResync(new Map(wish.entry && [[scope, wish.entry]]), new Map([[scope, await readHead(meter, scope)]]))
        if (fault.marker === 'driftline_resync') throw new StoreFault('transient', { message: 'the scope changed while its cursor was checked' })
        if (fault.kind !== 'refused' && fault.marker !== 'driftline_missing') throw fault
        if (tries === 3) throw new StoreFault('transient', { message: 'the rows changed while the refused change was looked for' })
        accepted = await settle(meter, scope, [], accepted, wish, (index, error) => {
          if (wish.atomic) rejectAtomic(index, error)
          verdicts[index] = { verdict: 'rejected', error }
        })
      }
    }
  }

  /**
   * Splits changes that the database refuses in halves until each bad one stands alone, and gives back those that it
   * takes together with what it took before. Tries only, so that nothing is half done whatever happens meanwhile (P13):
   * about two batches for each halving, and none of them is kept.
   */
  async function settle(meter: Meter, scope: string, taken: readonly Change[], changes: readonly Change[], wish: PushWish, reject: (index: number, error: Rejection) => void): Promise<readonly Change[]> {
    const together = [...taken, ...changes]
    const error = await probe(meter, scope, together, wish)
    if (!error) return together
    const [first] = changes
    if (!first) return taken
    if (changes.length === 1) {
      reject(first.index, error)
      return taken
    }
    const half = changes.length >> 1
    return settle(meter, scope, await settle(meter, scope, taken, changes.slice(0, half), wish, reject), changes.slice(half), wish, reject)
  }

  /** Whether the database would take these changes: why not, or nothing. */
  async function probe(meter: Meter, scope: string, changes: readonly Change[], wish: PushWish): Promise<Rejection | undefined> {
    try {
      await batch(meter, scope, compilePush(sql, scope, coalesce(changes), { ...wish, entry: undefined, probe: true }))
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault
      if (fault.marker === 'driftline_probe') return undefined
      if (fault.marker === 'driftline_missing') return rejection('row_missing', 'There is no row with this id to patch. Send a put with the whole row.')
      if (fault.kind === 'refused') return rejection('constraint', 'The database does not take this change: it breaks a constraint or a trigger of the table.')
      throw fault
    }
    throw new TypeError('A probe must not be kept')
  }

  async function readHead(meter: Meter, scope: string): Promise<ScopeHead | undefined> {
    const [rows] = await batch(meter, scope, [compilePage(sql, scope, { entry: undefined, limit: 1 })])
    return parseHead(rows ?? [])
  }

  async function batch(meter: Meter, scope: string, plan: readonly Planned[]) {
    const began = performance.now()
    try {
      return await retryConflicts(() => store.batch(scope, plan))
    } finally {
      meter.ms += performance.now() - began
    }
  }
}

interface Meter {
  ms: number
}

function rejectAtomic(index: number, error: Rejection): never {
  throw new Problem('atomic_rejected', `Nothing was applied: the change at ${index} was rejected. ${error.detail}`, { members: { index, error } })
}

/** Ends the request where the cursor's part for one of these scopes can no longer be answered from. */
function throwResync(cursor: Cursor | null | undefined, heads: ReadonlyMap<string, ScopeHead | undefined>): void {
  const reasons = new Map<string, ResyncReason>()
  for (const [scope, head] of heads) {
    const entry: CursorEntry | undefined = cursor?.get(scope)
    const reason = entry && checkCursor(entry, head)
    if (reason) reasons.set(scope, reason)
  }
  if (!cursor || reasons.size === 0) return
  const reason: ResyncReason = [...reasons.values()].includes('restored') ? 'restored' : 'pruned'
  const scopes = [...reasons].filter(([, why]) => why === reason).map(([scope]) => scope)
  const rest = formatCursor(new Map([...cursor].filter(([scope]) => !scopes.includes(scope))))
  throw new Problem('resync', 'Drop the rows of these scopes, keep the outbox, and go on from this cursor.', { members: { reason, scopes, cursor: rest } })
}

/** Side by side, but not too many at once. Waits for all that began, so that nothing goes on after an error. */
async function inTurns<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += limits.scopesAtOnceMax) {
    const done = await Promise.allSettled(items.slice(from, from + limits.scopesAtOnceMax).map(run))
    for (const one of done) if (one.status === 'rejected') throw one.reason
  }
}

function randomIncarnation(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16)
}
