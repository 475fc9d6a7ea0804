import { noteAnswer, startFacts } from '../../observe/facts.ts'
import { beginCall, type Core } from '../call.ts'
import type { Operations } from '../operations.ts'
import { throwResync } from '../resync.ts'
import { checkScopes, joinScopes, removedScopes } from './join-scopes.ts'
import { headsOf, readScopes, startBudget } from './read-scopes.ts'

export function pullOperation(core: Core): Operations['pull'] {
  return async (principal, request, { facts = startFacts() } = {}) => {
    checkScopes(principal)
    const call = beginCall(core, facts)
    const { cursor, limit } = request

    // 1 Read the scopes of each database together. 2 Hold the cursor against what they are now
    // (P9).
    const read = await readScopes(call, [...principal.scopes.keys()], cursor, startBudget(limit))
    throwResync(cursor, headsOf(read))

    // 3 Answer with one page, which goes as far as the limit.
    const page = joinScopes(principal, request, read)
    noteAnswer(facts, [], page)
    return { now: call.receivedAt, page, removedScopes: removedScopes(cursor, principal) }
  }
}
