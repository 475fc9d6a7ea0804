import { noteAnswer, startFacts } from '../../observe/facts.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import { beginCall, type Core } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import type { Operations } from '../operations.ts'
import { groupForWrites, splitPlaces } from '../places.ts'
import { checkScopes, joinScopes, removedScopes } from '../pull/join-scopes.ts'
import { headsOf, readHeads, readScopes, startBudget, withOwnRows } from '../pull/read-scopes.ts'
import { throwResync } from '../resync.ts'
import { refuseAtomic } from './atomic.ts'
import { authorizeChange } from './authorize.ts'
import { checkAtomic, decodeChanges, decodeContext, shareOf } from './decode.ts'
import { pushPlace } from './push-place.ts'
import { inOrder, joinVerdicts, rejectedVerdicts } from './verdicts.ts'

/** A push, and a sync, which asks for a page as well. */
export function pushOperation(core: Core): Operations['push'] {
  return async (principal, request, { facts = startFacts(), bytes } = {}) => {
    const { changes, atomic, cursor, limit, client } = request
    facts.changes += changes.length
    checkScopes(principal)
    await core.quotas.countChanges(principal.subject, changes.length, false)
    const call = beginCall(core, facts, request.columns, changes)

    // 1 Decode each change and find its scope.
    const decoded = await decodeChanges(changes, decodeContext(call, bytes), (one) => authorizeChange(one, principal))
    checkAtomic(atomic, decoded)

    // 2 Read the scopes of databases in which nothing is written. A cursor that must resync is
    // found before anything is applied (P9): where the scopes of one database are written, by their
    // batch, which also reads the other scopes of that database.
    const order = [...principal.scopes.keys()]
    const asks = cursor !== undefined && limit !== undefined ? { cursor, order, budget: startBudget(limit) } : undefined
    const unwritten = order.filter((scope) => !decoded.byScope.has(scope))
    const places = await groupForWrites(call.store, [...decoded.byScope.keys()])
    const isOne = places.length === 1
    const { near, far } = await splitPlaces(call.store, isOne ? places[0]?.[0] : undefined, unwritten)
    const read = asks
      ? await readScopes(call, far, asks.cursor, withOwnRows(asks.budget))
      : new Map<string, ScopePage>()
    const looked = [...(asks ? [] : far), ...(isOne ? [] : decoded.byScope.keys())]
    throwResync(cursor, new Map([...headsOf(read), ...(await readHeads(call, looked, cursor))]))

    // 3 Write the scopes of each database by one batch, side by side: see push-place.ts.
    if (atomic) await refuseAtomic(call.refusalsOf(client), decoded)
    const deletes = call.quotas.countDeletes(principal.subject, { ...call, atomic })
    const part = { ...request, cursor, asks, near, deletes, answerBytesMax: shareOf(decoded) }
    const pushed = await inTurns(places, (scopes) => pushPlace(call, part, scopes, decoded)).finally(deletes.end)

    // 4 Answer: every change has its verdict, and the page goes as far as the limit.
    const verdicts = inOrder(
      joinVerdicts([rejectedVerdicts(decoded.rejected), decoded.dropped, ...pushed.map((one) => one.verdicts)]),
    )
    const pages = new Map([...read, ...pushed.flatMap((one) => [...one.pages])])
    const page =
      asks && limit !== undefined ? joinScopes(principal, { cursor: asks.cursor, limit }, pages, call.known) : undefined
    noteAnswer(facts, verdicts, page)
    return { now: call.receivedAt, verdicts, page, removedScopes: removedScopes(cursor, principal) }
  }
}
