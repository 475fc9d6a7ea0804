import * as fc from 'fast-check'
import { hostileTexts, jsonBodies, mutatedRequest } from '../../support/hostile.ts'
import { bodyTo, changePlaces, changesTo, entries, type Hostile, requestPlaces } from './requests.ts'

/** Some hostile requests that may be sent at the same time. */
export interface Batch {
  readonly requests: readonly Hostile[]
  /** How many bad inputs they hold: of changes, each is one. */
  readonly inputs: number
  /** None of them may be taken. */
  readonly mustRefuse: boolean
}

const batchMax = 400

/** Every corpus at every entry, once: some 25,000 inputs. */
export function* allCorpora(): Generator<Batch> {
  const texts = hostileTexts.filter((text) => text.isWellFormed() && text !== 'owner')
  for (const entry of entries) {
    const requests = changePlaces.map((place, n) => changesTo(entry, `all-${entry}-${n}`, texts.map(place)))
    yield { requests, inputs: requests.length * texts.length, mustRefuse: false }
  }
  for (const entry of entries) {
    const bare = jsonBodies.map(({ input }, n) => bodyTo(entry, 'json', `bare-${n}`, input))
    // Of an import each is a bad line.
    yield { requests: bare, inputs: bare.length, mustRefuse: entry !== 'import' }
    const client = entry === 'webhook' ? '' : '"client":"a",'
    const inside = jsonBodies.map(({ input }, n) => bodyTo(entry, 'json', `in-${n}`, `{${client}"changes":[${input}]}`))
    yield { requests: inside, inputs: inside.length, mustRefuse: false }
  }
  for (const [place, make] of Object.values(requestPlaces).entries()) {
    for (let at = 0; at < texts.length; at += batchMax) {
      const requests = texts.slice(at, at + batchMax).map((text, n) => make(text, `all-${place}-${at + n}`))
      yield { requests, inputs: requests.length, mustRefuse: true }
    }
  }
}

/**
 * Valid requests with a few values changed, each to an entry of its own turn. They meet in one
 * scope: one at a time.
 */
export function* mutations(seed: number): Generator<Batch> {
  for (let round = seed; ; round++) {
    for (const [n, body] of fc.sample(mutatedRequest, { numRuns: 50, seed: round }).entries()) {
      const text = JSON.stringify(body) ?? 'null'
      const entry = entries[n % entries.length] ?? 'sync'
      yield { requests: [bodyTo(entry, 'alice', `mutation-${round}-${n}`, text)], inputs: 1, mustRefuse: false }
    }
  }
}
