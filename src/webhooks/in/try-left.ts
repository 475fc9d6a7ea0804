import { limits } from '../../model/limits.ts'
import type { Verdict } from '../../model/verdict.ts'
import { type Facts, noteAnswer, startFacts } from '../../observe/facts.ts'
import type { Operations } from '../../sync/sync.ts'

/** How often what is left of a webhook is tried, each time under an id of its own. */
const triesMax = 10

/**
 * Runs a webhook, and then what is left of it: changes that may be sent again as they are
 * (`send_fewer`, `quota_exceeded`), whose verdict is kept with the others' under its id. They had
 * no effect yet, and have it under ids made of that one, each of which takes effect once (P14).
 * Where the webhook comes again the verdicts so far are recalled, and what is left goes on from
 * there. It ends after as long as a search may take, or where nothing more is told.
 */
export function tryWhatIsLeft(receive: Operations['receive']): Operations['receive'] {
  return async (request, { facts = startFacts(), ...more } = {}) => {
    const began = performance.now()
    const answer = await receive(request, { facts, ...more })
    const { id, changes, atomic } = request
    // Under an id that other changes had before, the verdicts are theirs.
    if (atomic || answer.verdicts.length !== changes.length) return answer
    const verdicts = [...answer.verdicts]
    for (let tries = 1; tries <= triesMax && performance.now() - began < limits.refusalMsMax; tries++) {
      const left = [...verdicts.keys()].filter((place) => isLeft(verdicts[place]))
      if (left.length === 0) break
      // No id of a sender has a comma.
      const again = { ...request, changes: left.map((place) => changes[place]), id: `${id},${tries}` }
      const own = startFacts()
      const { verdicts: given } = await receive(again, { facts: own, ...more })
      facts.databaseMs += own.databaseMs
      if (given.length !== left.length || given.every(isLeft)) break
      for (const [n, place] of left.entries()) {
        recount(facts, verdicts[place], given[n] as Verdict)
        verdicts[place] = given[n] as Verdict
      }
    }
    return { ...answer, verdicts }
  }
}

/** A change counts by its last verdict. */
function recount(facts: Facts, before: Verdict | undefined, now: Verdict): void {
  if (before?.verdict === 'rejected') {
    const { code } = before.error
    facts.verdicts.rejected--
    facts.rejected[code] = (facts.rejected[code] ?? 1) - 1
    if (facts.rejected[code] === 0) delete facts.rejected[code]
  }
  noteAnswer(facts, [now])
}

const isLeft = (verdict: Verdict | undefined) => verdict?.verdict === 'rejected' && verdict.error.retryable === true
