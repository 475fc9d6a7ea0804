import { noteAnswer, noteScopes, startFacts } from '../../../observe/facts.ts'
import { beginCall, type Core } from '../../call.ts'
import { inTurns } from '../../in-turns.ts'
import type { Operations } from '../../operations.ts'
import { groupForWrites } from '../../places.ts'
import { refuseAtomic } from '../atomic.ts'
import { authorizeNamed } from '../authorize.ts'
import { checkAtomic, decodeChanges, decodeContext, shareOf } from '../decode.ts'
import { inOrder, joinVerdicts, rejectedVerdicts, rejectionsOf, tookEffect } from '../verdicts.ts'
import { receivePlace } from './receive-place.ts'

/** A webhook, which takes effect once. */
export function receiveOperation(core: Core): Operations['receive'] {
  return async (request, { facts = startFacts(), bytes } = {}) => {
    const { source: client, id, grant, changes, atomic } = request
    facts.changes += changes.length
    const call = beginCall(core, facts, 'all')

    // 1 Decode each change and find its scope. One without a stamp is the newest.
    const context = { ...decodeContext(call, bytes), stampless: true }
    const decoded = await decodeChanges(changes, context, (one) => authorizeNamed(one, grant))
    noteScopes(facts, [...decoded.byScope.keys()])
    checkAtomic(atomic, decoded)
    if (atomic) await refuseAtomic(call.refusalsOf(client), decoded)

    // 2 Write the scopes of each database with the webhook's id, and what became of it, by one
    // batch: see receive-place.ts.
    const receipt = { client, id, atomic, rejected: decoded.rejected, answerBytesMax: shareOf(decoded) }
    const places = await groupForWrites(call.store, [...decoded.byScope.keys()])
    const received = await inTurns(places, (scopes) => receivePlace(call, receipt, scopes, decoded))

    // 3 Answer. What took effect before outlasts what another scope recalls as rejected.
    const all = [rejectedVerdicts(decoded.rejected), decoded.dropped, ...received.flat()]
    const recalled = all.map((one) => rejectedVerdicts(rejectionsOf(one)))
    const verdicts = inOrder(joinVerdicts([...recalled, ...all.map(tookEffect)]))
    noteAnswer(facts, verdicts)
    return { now: call.receivedAt, verdicts }
  }
}
