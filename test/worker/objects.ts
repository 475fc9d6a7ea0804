import type { DurableObjectState } from '@cloudflare/workers-types'
import type { Migration } from '../../src/migrations/migration.ts'
import { type ObjectEnv, ScopeDatabase } from '../../src/runtime/workers/scope-object.ts'
import type { Statement } from '../../src/sql/statement.ts'
import type { ObjectAnswer, PackedRehearsal, ScopeNamespace } from '../../src/stores/durable-object.ts'
import { schema } from '../support/schema.ts'

/** What a test asks of an object, as JSON. */
export interface ObjectCall {
  readonly scope: string
  readonly statements?: readonly Statement[]
  readonly rehearsal?: PackedRehearsal
}

/** The object with the migrations of a test. */
export class TestObject extends ScopeDatabase {
  readonly #state: DurableObjectState

  constructor(state: DurableObjectState, env: ObjectEnv & { readonly MIGRATIONS: string }) {
    super(state, env, schema, JSON.parse(env.MIGRATIONS) as Migration[])
    this.#state = state
  }

  /**
   * Only in a test: `alarm` goes off now, `alarmed` says when it would. A last statement `reset`
   * ends the object as Cloudflare may at any time: before what it wrote is durable, or with `synced
   * reset` right after that.
   */
  override async batch(statements: readonly Statement[]): Promise<ObjectAnswer> {
    if (statements[0]?.sql === 'alarm') {
      await this.#state.storage.deleteAlarm()
      await this.alarm()
    }
    if (/^alarm/.test(statements[0]?.sql ?? '')) return { rows: [[[await this.#state.storage.getAlarm()]]] }
    const end = statements.at(-1)?.sql
    if (end !== 'reset' && end !== 'synced reset') return super.batch(statements)
    const answer = await super.batch(statements.slice(0, -1))
    if (end === 'synced reset') await this.#state.storage.sync()
    this.#state.abort('reset by a test')
    return answer
  }
}

/**
 * Calls an object for a test, which is outside: a request costs a tenth of what a call through the
 * harness does.
 */
export default {
  async fetch(request: Request, env: { readonly SCOPES: ScopeNamespace }): Promise<Response> {
    const { scope, statements, rehearsal } = (await request.json()) as ObjectCall
    try {
      const object = env.SCOPES.getByName(scope)
      return Response.json(rehearsal ? await object.rehearse(rehearsal) : await object.batch(statements ?? []))
    } catch (error) {
      const { message, overloaded } = error as { message?: string; overloaded?: boolean }
      return Response.json({ message, overloaded }, { status: 500 })
    }
  },
}
