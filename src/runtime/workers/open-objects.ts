import { durableObjectStore } from '../../stores/durable-object.ts'
import type { Store } from '../../stores/store.ts'
import type { WorkerEnv } from './env.ts'

/**
 * A Durable Object for each scope, by the binding SCOPES. Throws a `TypeError` where there is none.
 */
export function openObjects({ SCOPES }: Pick<WorkerEnv, 'SCOPES'>): Store {
  if (!SCOPES) throw new TypeError('Bind the Durable Object class ScopeObject as SCOPES in wrangler.toml')
  return durableObjectStore(SCOPES)
}
