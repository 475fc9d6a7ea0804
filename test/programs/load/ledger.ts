import { compareStamps, type RowState } from '../../../src/model/stamp.ts'

/** What the clients of one scope were told of its rows, by id. */
export interface Ledger {
  readonly scope: string
  /** The greatest change that was acknowledged as applied. */
  readonly acknowledged: Map<string, RowState>
  /** Changes of requests that failed: each may be stored or not. */
  readonly unanswered: Map<string, RowState[]>
}

export function newLedger(scope: string): Ledger {
  return { scope, acknowledged: new Map(), unanswered: new Map() }
}

export function acknowledge({ acknowledged }: Ledger, id: string, state: RowState): void {
  const known = acknowledged.get(id)
  if (!known || compareStamps(known, state) < 0) acknowledged.set(id, state)
}

export function leaveOpen({ unanswered }: Ledger, id: string, state: RowState): void {
  const open = unanswered.get(id)
  if (open) open.push(state)
  else unanswered.set(id, [state])
}

/**
 * What is against the promises in the rows that somebody sees of a scope: each row that was
 * acknowledged must be there with that change or a greater one that was sent, and nothing may be
 * there that was not. A view without tombstones, such as a client's, must lack what was deleted.
 */
export function findBreaches(ledger: Ledger, view: ReadonlyMap<string, RowState>, hasTombstones: boolean): string[] {
  const { scope, acknowledged, unanswered } = ledger
  const breaches: string[] = []
  const mayBe = (id: string, matches: (state: RowState) => boolean) => {
    const known = acknowledged.get(id)
    if (known && matches(known)) return true
    return (unanswered.get(id) ?? []).some((open) => matches(open) && (!known || compareStamps(known, open) < 0))
  }
  for (const [id, { at, by }] of acknowledged) {
    if (view.has(id) || (!hasTombstones && mayBe(id, ({ deleted }) => deleted))) continue
    breaches.push(`${id} of ${scope} was acknowledged with ${at} of ${by} and is missing`)
  }
  for (const [id, seen] of view) {
    if (mayBe(id, (state) => compareStamps(state, seen) === 0 && state.deleted === seen.deleted)) continue
    const known = acknowledged.get(id)
    const expected = known ? `${describe(known)} was acknowledged` : 'nothing was sent'
    breaches.push(`${id} of ${scope} is there as ${describe(seen)}, and ${expected}`)
  }
  return breaches
}

const describe = ({ at, by, deleted }: RowState) => `the ${deleted ? 'delete' : 'row'} of ${at} of ${by}`
