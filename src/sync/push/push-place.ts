import type { ScopePage } from '../../sql/scope-page.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import { headsOf, readHeads, readScopes, withOwnRows } from '../pull/read-scopes.ts'
import { throwResync } from '../resync.ts'
import { type Together, writeTogether } from './attempt.ts'
import { type AskedScopes, planBeside } from './beside.ts'
import type { Decoded } from './decode.ts'
import { planScope, pushScope, type ScopePush } from './push-scope.ts'
import { joinVerdicts, type Verdicts } from './verdicts.ts'

/** A push to scopes of one database. */
export interface PlacePush extends Omit<ScopePush, 'beside'> {
  /** Scopes of it that are only read, or whose cursor is only looked at. */
  readonly near: readonly string[]
  /** The page that is asked for. */
  readonly asks: AskedScopes | undefined
}

/** What came of it. */
export interface PushedPlace {
  readonly verdicts: Verdicts
  /** Of all its scopes, where a page is asked for. */
  readonly pages: ReadonlyMap<string, ScopePage>
}

/**
 * Writes scopes of one database: by one batch where it takes all of them. Else each by itself, so
 * that what is refused of one scope harms no other; nothing of any is written where the cursor must
 * resync (P9). The pages come with what is written, or by one batch more.
 */
export async function pushPlace(
  call: Call,
  { near, asks, ...push }: PlacePush,
  names: readonly string[],
  { byScope }: Decoded,
): Promise<PushedPlace> {
  const { cursor } = push
  const admitted = await inTurns(names, async (scope) => ({
    scope,
    admitted: await push.deletes.admit(scope, byScope.get(scope) ?? []),
  }))
  const some = admitted.filter(({ admitted: { changes } }) => changes.length > 0)
  const idle = admitted.filter((one) => !some.includes(one)).map(({ scope }) => scope)
  const beside = planBeside(call, [...near, ...idle], cursor, asks)
  let together: Together | undefined
  // Where scopes are limited, each is looked at before it is written.
  if (some.length > 1 && !call.rooms) {
    const writes = some.map(({ scope, admitted: { changes } }) => ({ write: planScope(call, push, scope), changes }))
    together = await writeTogether(call, writes, beside)
  }
  const isApart = some.length > 1 && !together
  if (isApart) throwResync(cursor, await readHeads(call, [...names, ...near], cursor))
  const part = { ...push, beside: isApart ? planBeside(call, [], cursor, asks) : beside }
  const scopes = await inTurns(admitted, (one) =>
    pushScope(call, part, one.scope, one.admitted, together?.done.get(one.scope)),
  )
  const pages = new Map([...(together?.pages ?? []), ...scopes.flatMap((one) => [...(one.pages ?? [])])])
  const isHeld = isApart || scopes.some(({ isWritten }) => isWritten)
  const rest = await readRest(call, [...names, ...near], pages, cursor, asks, isHeld)
  return { verdicts: joinVerdicts(scopes.map(({ verdicts }) => verdicts)), pages: rest }
}

/**
 * Reads what was not read with the writes. The cursor is held against all of it: a scope that was
 * put back, or pruned, while others were written must not be passed over.
 */
async function readRest(
  call: Call,
  scopes: readonly string[],
  pages: ReadonlyMap<string, ScopePage>,
  cursor: PlacePush['cursor'],
  asks: AskedScopes | undefined,
  isHeld: boolean,
): Promise<ReadonlyMap<string, ScopePage>> {
  if (!asks) {
    if (!isHeld) throwResync(cursor, await readHeads(call, scopes, cursor))
    return pages
  }
  const left = scopes.filter((scope) => !pages.has(scope))
  const read = left.length > 0 ? await readScopes(call, left, asks.cursor, withOwnRows(asks.budget)) : []
  const all = new Map([...pages, ...read])
  throwResync(cursor, headsOf(all))
  return all
}
