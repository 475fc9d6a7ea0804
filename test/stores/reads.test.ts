import { afterEach, describe, expect, it } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import { startFacts } from '../../src/observe/facts.ts'
import { prune } from '../../src/prune/prune.ts'
import { readsOnly, type Store } from '../../src/stores/store.ts'
import { createCensus } from '../../src/sync/pull/count.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { noon, principal } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

let opened: TestStore | undefined
afterEach(async () => {
  await opened?.close()
  opened = undefined
})

describe.each(dialectStores)('on %s', (name) => {
  it('each statement says whether it reads: pushes, pulls, webhooks, imports, a refusal, pruning', async () => {
    opened = await openTestStore(name)
    const { store } = opened
    await store.batch('', [{ sql: 'CREATE UNIQUE INDEX one_title ON todos (scope, title)', params: [] }])
    const seen = new Map<string, boolean>()
    const watched: Store = {
      ...store,
      async batch(scope, statements) {
        for (const one of statements) seen.set(one.sql, readsOnly([one]))
        return store.batch(scope, statements)
      },
    }
    const { push, pull, receive, importChunk } = createOperations({
      ...{ schema, store: watched, now: () => noon / 1000 },
      ...{ scopeRowsMax: 3, unseenDeletesPerHourMax: 1 },
    })
    const who = principal('alice')
    const put = (id: string, at: number, title = id) => ({
      ...{ table: 'todos', op: 'put', id, at: noon + at, row: { title } },
    })
    const patch = (id: string, at: number) => ({ table: 'todos', op: 'patch', id, at: noon + at, row: { done: true } })
    const remove = (id: string) => ({ table: 'todos', op: 'delete', id, at: noon + 9 })
    const base = { client: 'a', return: 'all' } as const
    const sync = (changes: object[], atomic = false) => push(who, { ...base, atomic, changes, cursor: null, limit: 10 })
    await sync([put('a', 1), put('b', 1), patch('a', 2), put('c', 1, 'b')])
    await sync([put('e', 1), put('f', 1), put('g', 1), put('h', 1), remove('x'), remove('y'), remove('z')])
    await sync([patch('none', 1), put('a', 3)], true).catch(() => {})
    await pull(who, { cursor: null, limit: 10 })
    await createCensus({ schema, store: watched })(who, null, startFacts(), true)
    const grant = { scope: 'alice', isAllowed: () => true }
    for (const _ of [1, 2])
      await receive({ source: 'crm', id: 'w', grant, atomic: false, changes: [patch('a', 5), put('b', 5)] })
    const importLines = createImport(importChunk, 'alice', { client: 'i', table: undefined, at: undefined, grant })
    for (const _ of [1, 2]) await importLines([put('a', 7), put('b', 1)].map((value, line) => ({ line, value })))
    await prune(watched, schema, { retentionMs: 1, now: () => noon / 1000 + 1e9 })
    expect(seen.size).toBeGreaterThan(20)
    // Each of these sets a session's variable, or reads it in the middle of a batch that writes.
    const own = [...seen].filter(([sql]) => !/set_config|driftline\.failures/.test(sql))
    expect(own.filter(([sql, reads]) => reads !== /^(SELECT|WITH)\b/.test(sql))).toEqual([])
  })
})
