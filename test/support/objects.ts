import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Migration } from '../../src/migrations/migration.ts'
import {
  durableObjectStore,
  type ObjectAnswer,
  type RehearsalAnswer,
  type ScopeNamespace,
} from '../../src/stores/durable-object.ts'
import type { Store } from '../../src/stores/store.ts'
import type { ObjectCall } from '../worker/objects.ts'
import { startWorkerd, type Workerd } from './workerd.ts'

/** Durable Objects in real workerd, called from here. */
export interface Objects {
  readonly store: Store
  readonly url: string
  /** Calls of objects so far. */
  roundTrips(): number
  /** Replaces the worker by one with these migrations. The objects keep what they stored. */
  deploy(migrations: readonly Migration[]): Promise<void>
  readonly harness: Workerd
  readonly namespace: ScopeNamespace
  close(): Promise<void>
}

let code: Promise<string> | undefined

/** The worker of test/worker/objects.ts, which needs nothing of what wrangler adds. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../worker/objects.ts', import.meta.url))],
    ...{ bundle: true, format: 'esm', write: false, logLevel: 'error' },
    ...{ external: ['cloudflare:*', 'node:*'], conditions: ['workerd', 'worker', 'browser'] },
  })
  return outputFiles[0]?.text ?? ''
}

export async function startObjects(
  migrations: readonly Migration[],
  vars: Record<string, string> = {},
): Promise<Objects> {
  code ??= bundle()
  const varsOf = (all: readonly Migration[]) => ({ MIGRATIONS: JSON.stringify(all), ...vars })
  const harness = await startWorkerd({
    ...{ name: 'objects', code: await code, bindings: varsOf(migrations) },
    durableObjects: { SCOPES: { className: 'TestObject', useSQLite: true } },
  })
  const namespace = namespaceAt(() => harness.url)
  return {
    ...countCalls((scope) => namespace.getByName(scope)),
    namespace,
    url: harness.url.href,
    harness,
    deploy: (next) => harness.restart(varsOf(next)),
    close: () => harness.close(),
  }
}

/**
 * Objects for a test that only stores and reads: a workerd is shared by all of one process that ask
 * for the same migrations, and the names of its objects begin with a number of their own. It ends
 * with the process.
 */
export async function shareObjects(
  migrations: readonly Migration[],
): Promise<Omit<Objects, 'deploy' | 'harness' | 'namespace'>> {
  const key = JSON.stringify(migrations)
  const started = shared.get(key) ?? startObjects(migrations)
  shared.set(key, started)
  const { namespace, url } = await started
  const prefix = `${++sharers}:`
  return { ...countCalls((scope) => namespace.getByName(prefix + scope)), url, close: async () => {} }
}

const shared = new Map<string, ReturnType<typeof startObjects>>()
let sharers = 0

function countCalls(get: ScopeNamespace['getByName']): Pick<Objects, 'store' | 'roundTrips'> {
  let calls = 0
  const store = durableObjectStore({
    getByName: (scope) => ({
      batch(statements) {
        calls++
        return get(scope).batch(statements)
      },
      rehearse(rehearsal) {
        calls++
        return get(scope).rehearse(rehearsal)
      },
    }),
  })
  return { store, roundTrips: () => calls }
}

function namespaceAt(url: () => URL): ScopeNamespace {
  async function call<Answer>(asked: ObjectCall): Promise<Answer> {
    const answer = await fetch(url(), { method: 'POST', body: JSON.stringify(asked) })
    const body = await answer.json()
    if (answer.ok) return body as Answer
    const { message, ...more } = body as { message: string }
    throw Object.assign(new Error(message), more)
  }
  return {
    getByName: (scope) => ({
      batch: (statements) => call<ObjectAnswer>({ scope, statements }),
      async rehearse(rehearsal) {
        const answer = await call<RehearsalAnswer>({ scope, rehearsal })
        // JSON knows no undefined.
        return 'faults' in answer ? { ...answer, faults: answer.faults.map((fault) => fault ?? undefined) } : answer
      },
    }),
  }
}
