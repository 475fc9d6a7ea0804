import type { Cells } from '../../sql/statement.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import { readHeads } from '../pull/read-scopes.ts'
import { throwResync } from '../resync.ts'
import { writeTogether } from './attempt.ts'
import type { Decoded } from './decode.ts'
import { type PushedScope, planScope, pushScope, type ScopePush } from './push-scope.ts'

/** What came of a push to the scopes of one database. */
export interface PushedPlace {
  readonly scopes: readonly (PushedScope & { readonly scope: string })[]
  /** What was read of other scopes. Undefined: nothing was, since nothing was written with it. */
  readonly beside: readonly (readonly Cells[])[] | undefined
}

/**
 * Writes scopes of one database: by one batch where it takes all of them. Else each by itself, so
 * that what is refused of one scope harms no other; nothing of any is written where the cursor must
 * resync (P9).
 */
export async function pushPlace(
  call: Call,
  push: ScopePush,
  names: readonly string[],
  { byScope }: Decoded,
): Promise<PushedPlace> {
  const admitted = await inTurns(names, async (scope) => ({
    scope,
    admitted: await push.deletes.admit(scope, byScope.get(scope) ?? []),
  }))
  const some = admitted.filter(({ admitted: { changes } }) => changes.length > 0)
  // Where scopes are limited, each is looked at before it is written.
  const isTogether = some.length > 1 && !call.rooms
  const [first, ...others] = some.map(({ scope, admitted: { changes } }) => ({ scope, changes }))
  const writes = (isTogether && first ? [first, ...others] : []).map(({ scope, changes }) => ({
    write: planScope(call, scope === first?.scope ? push : { ...push, beside: undefined }, scope),
    changes,
  }))
  const together = isTogether ? await writeTogether(call, writes) : undefined
  const isApart = some.length > 1 && !together
  const looked = isApart ? [...names, ...(push.beside?.scopes ?? [])] : []
  throwResync(push.cursor, await readHeads(call, looked, push.cursor))
  const part = isApart ? { ...push, beside: undefined } : push
  const scopes = await inTurns(admitted, async (one) => ({
    scope: one.scope,
    ...(await pushScope(call, part, one.scope, one.admitted, together?.get(one.scope))),
  }))
  return { scopes, beside: scopes.find(({ beside }) => beside !== undefined && beside.length > 0)?.beside }
}
