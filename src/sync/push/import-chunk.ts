import { noteAnswer, startFacts } from '../../observe/facts.ts'
import { beginCall, type Core } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import type { Operations } from '../operations.ts'
import { groupForWrites } from '../places.ts'
import { authorizeNamed } from './authorize.ts'
import { decodeChanges, decodeContext, shareOf } from './decode.ts'
import { importPlace } from './import-place.ts'
import { joinImported } from './import-scope.ts'
import { inOrder, rejectedVerdicts, tallyOf } from './verdicts.ts'

/** A part of an import. */
export function importOperation(core: Core): Operations['importChunk'] {
  return async (subject, request, { facts = startFacts(), bytes } = {}) => {
    const { changes, grant, cutDigits } = request
    facts.changes += changes.length
    await core.quotas.countChanges(subject, changes.length, true)
    const call = beginCall(core, facts, 'all')

    // 1 Decode each change and find its scope.
    const context = { ...decodeContext(call, bytes), pulled: true, cutDigits }
    const decoded = await decodeChanges(changes, context, (one) => authorizeNamed(one, grant))

    // 2 Write the scopes of each database by one batch: see import-place.ts.
    const deletes = call.quotas.countDeletes(subject, { ...call, atomic: false })
    const part = { ...request, deletes, answerBytesMax: shareOf(decoded) }
    const places = await groupForWrites(call.store, [...decoded.byScope.keys()])
    const imported = await inTurns(places, (scopes) => importPlace(call, part, scopes, decoded)).finally(deletes.end)

    // 3 Count.
    const { tally, rejected } = joinImported([
      { tally: tallyOf(decoded.dropped.values()), rejected: decoded.rejected },
      ...imported,
    ])
    noteAnswer(facts, inOrder(rejectedVerdicts(rejected)), undefined, tally)
    return { tally, rejected }
  }
}
