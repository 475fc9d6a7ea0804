import type { Change } from '../../model/change.ts'
import type { Store } from '../../stores/store.ts'
import type { ImportRequest } from '../../wire/request.ts'
import type { Call } from '../call.ts'
import { planSettled, readSettled, type Settled } from './plan-bulk.ts'

/**
 * It is seen as it was before the chunk before, which is the same where nothing of that was
 * applied.
 */
export async function findSettled(
  call: Call,
  { client, after }: Pick<ImportRequest, 'client' | 'after'>,
  changes: ReadonlyMap<string, readonly Change[]>,
  look: Store['batch'],
): Promise<ReadonlyMap<string, Settled>> {
  const early = lookAt(call, client, changes, look)
  early.catch(() => {})
  const before = await after
  return before && before.applied > 0 ? await lookAt(call, client, changes, look) : await early
}

/** Which changes are settled, of scopes of one database, in one round trip. */
export async function lookAt(
  { sql }: Call,
  client: string,
  changes: ReadonlyMap<string, readonly Change[]>,
  look: Store['batch'],
): Promise<ReadonlyMap<string, Settled>> {
  const plans = [...changes].map(([scope, some]) => ({ scope, some, plan: planSettled(sql, scope, some, client) }))
  const results =
    plans.length > 0
      ? await look(
          plans[0]?.scope ?? '',
          plans.flatMap(({ plan }) => plan),
        )
      : []
  let at = 0
  return new Map(
    plans.map(({ scope, some, plan }) => {
      at += plan.length
      return [scope, readSettled(some, plan, results.slice(at - plan.length, at))]
    }),
  )
}
