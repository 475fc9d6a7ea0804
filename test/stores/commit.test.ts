import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSync } from '../../src/sync/create-sync.ts'
import { alice, del, noon, patch, principal, put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

describe.each(dialectStores)('what is told of a commit on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())

  function tellingSync(onCommit: (scope: string, position: number) => void) {
    return createSync({ schema, store: opened.store, now: () => noon / 1000, onCommit })
  }

  it('P15 tells each scope in which rows were applied, with the position that a pull then reaches', async () => {
    const told: [string, number][] = []
    const sync = tellingSync((...commit) => told.push(commit))
    const both = principal('alice', { team: 'write' })
    const changes = [put('1', 1, 'a'), put('2', 1, 'b'), { ...put('1', 1, 'c'), scope: 'team' }, del('9', 1)]
    await sync.push(both, { client: 'a', changes })
    expect(told.sort()).toEqual([
      ['alice', 3],
      ['team', 1],
    ])
    const { changes: pulled } = await sync.pull(alice)
    expect(pulled.at(-1)?.position).toBeLessThanOrEqual(3)
    await sync.sync(both, { client: 'a', cursor: null, changes: [patch('1', 2, { done: true })] })
    expect(told.at(-1)).toEqual(['alice', 4])
  })

  it('tells nothing where nothing was applied', async () => {
    const told: unknown[] = []
    const sync = tellingSync((...commit) => told.push(commit))
    const bob = principal('bob')
    await sync.push(bob, { client: 'a', changes: [put('1', 5, 'a')] })
    expect(told).toEqual([['bob', 1]])
    await sync.push(bob, {
      client: 'a',
      changes: [put('1', 5, 'a'), put('1', 4, 'a'), patch('none', 9, { done: true })],
    })
    await sync.push(bob, { client: 'a', changes: [{ ...put('2', 5, 'a'), scope: 'alice' }] })
    await sync.pull(bob)
    expect(told).toHaveLength(1)
    const refused = [put('2', 5, 'a'), { ...put('3', 5, 'a'), id: '' }]
    await expect(sync.push(bob, { client: 'a', atomic: true, changes: refused })).rejects.toThrow()
    expect(told).toHaveLength(1)
  })

  it('P13 answers what is committed, whatever becomes of the poke', async () => {
    const sync = tellingSync(() => {
      throw new Error('no hub')
    })
    const { verdicts } = await sync.push(principal('carol'), { client: 'a', changes: [put('1', 5, 'a')] })
    expect(verdicts).toMatchObject([{ verdict: 'applied' }])
  })
})
