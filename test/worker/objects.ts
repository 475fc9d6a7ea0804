import type { DurableObjectState } from '@cloudflare/workers-types'
import type { Migration } from '../../src/migrations/apply.ts'
import { ScopeObject } from '../../src/stores/scope-object.ts'

/** The object with the migrations of a test. */
export class TestObject extends ScopeObject {
  constructor(state: DurableObjectState, env: { readonly MIGRATIONS: string }) {
    super(state, env, JSON.parse(env.MIGRATIONS) as Migration[])
  }
}

export default { fetch: () => new Response() }
