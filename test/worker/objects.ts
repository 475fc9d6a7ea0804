import type { DurableObjectState } from '@cloudflare/workers-types'
import type { Statement } from '../../src/dialects/dialect.ts'
import type { Migration } from '../../src/migrations/apply.ts'
import { ScopeObject } from '../../src/scope-object.ts'
import type { ObjectAnswer } from '../../src/stores/durable-object.ts'

/** The object with the migrations of a test. */
export class TestObject extends ScopeObject {
  readonly #state: DurableObjectState

  constructor(state: DurableObjectState, env: { readonly MIGRATIONS: string; readonly RETENTION?: string }) {
    super(state, env, JSON.parse(env.MIGRATIONS) as Migration[])
    this.#state = state
  }

  /** Only in a test: `alarm` goes off now, `alarmed` says when it would. A last statement `reset` ends the object as Cloudflare may at any time: before what it wrote is durable. */
  override async batch(statements: readonly Statement[]): Promise<ObjectAnswer> {
    if (statements[0]?.sql === 'alarm') {
      await this.#state.storage.deleteAlarm()
      await this.alarm()
    }
    if (/^alarm/.test(statements[0]?.sql ?? '')) return { rows: [[[await this.#state.storage.getAlarm()]]] }
    if (statements.at(-1)?.sql !== 'reset') return super.batch(statements)
    const answer = await super.batch(statements.slice(0, -1))
    this.#state.abort('reset by a test')
    return answer
  }
}

export default { fetch: () => new Response() }
