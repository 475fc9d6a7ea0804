import type { TestHarness } from 'wrangler'
import type { Migration } from '../../src/migrations/migration.ts'
import { durableObjectStore, type ScopeNamespace } from '../../src/stores/durable-object.ts'
import type { Store } from '../../src/stores/store.ts'
import { startTestWorker, testWorker } from './worker.ts'

/** Durable Objects in real workerd, called from here. */
export interface Objects {
  readonly store: Store
  readonly url: string
  /** Calls of objects so far. */
  roundTrips(): number
  /** Replaces the worker by one with these migrations. The objects keep what they stored. */
  deploy(migrations: readonly Migration[]): Promise<void>
  readonly harness: TestHarness
  close(): Promise<void>
}

const bindings = {
  durable_objects: { bindings: [{ name: 'SCOPES', class_name: 'TestObject' }] },
  migrations: [{ tag: 'v1', new_sqlite_classes: ['TestObject'] }],
}

export async function startObjects(
  migrations: readonly Migration[],
  vars: Record<string, string> = {},
): Promise<Objects> {
  const harness = await startTestWorker('objects', { MIGRATIONS: JSON.stringify(migrations), ...vars }, bindings)
  let calls = 0
  let namespace = await namespaceOf(harness)
  const counted: ScopeNamespace = {
    getByName: (scope) => ({
      batch(statements) {
        calls++
        return namespace.getByName(scope).batch(statements)
      },
      rehearse(rehearsal) {
        calls++
        return namespace.getByName(scope).rehearse(rehearsal)
      },
    }),
  }
  return {
    store: durableObjectStore(counted),
    url: harness.url.href,
    roundTrips: () => calls,
    harness,
    async deploy(next) {
      const config = testWorker('objects', { MIGRATIONS: JSON.stringify(next), ...vars }, bindings)
      await harness.update({ workers: [{ config }] })
      namespace = await namespaceOf(harness)
    },
    close: () => harness.close(),
  }
}

async function namespaceOf(harness: TestHarness): Promise<ScopeNamespace> {
  return (await harness.getWorker<{ SCOPES: ScopeNamespace }>().getEnv()).SCOPES
}
