import { noteAnswer, startFacts } from '../../observe/facts.ts'
import type { Page } from '../../wire/answer.ts'
import { beginCall, type Core } from '../call.ts'
import type { Operations } from '../operations.ts'
import { throwResync } from '../resync.ts'
import { checkScopes, joinRows, joinScopes, removedScopes } from './join-scopes.ts'
import { learnColumns } from './learn.ts'
import { headsOf, readScopes, startBudget } from './read-scopes.ts'

export function pullOperation(core: Core): Operations['pull'] {
  return async (principal, request, { facts = startFacts() } = {}) => {
    checkScopes(principal)
    const call = beginCall(core, facts, request.columns)
    const scopes = [...principal.scopes.keys()]
    const budget = startBudget(request.limit)
    const answerWith = (page: Page) => {
      noteAnswer(facts, [], page)
      return { now: call.receivedAt, page, removedScopes: removedScopes(request.cursor, principal) }
    }

    // 1 Hand out again what the client got without columns that it knows by now.
    const learned = request.cursor && (await learnColumns(call, scopes, request.cursor, budget))
    if (learned) throwResync(request.cursor, learned.heads)
    if (learned?.more) return answerWith(learned)

    // 2 Read the scopes of each database together. 3 Hold the cursor against what they are now
    // (P9).
    const cursor = learned?.cursor ?? null
    const read = await readScopes(call, scopes, cursor, budget)
    throwResync(cursor, headsOf(read))

    // 4 Answer with one page, which goes as far as the limit.
    const page = joinScopes(principal, { cursor, limit: request.limit - (learned?.count ?? 0) }, read, call.known)
    return answerWith(learned ? joinRows(learned, page) : page)
  }
}
