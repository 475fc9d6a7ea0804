import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import type { Sync } from '../../src/sync/create-sync.ts'
import { del, patch, principal, put, type Sample, sampleSync } from '../support/sample.ts'
import { allStoreNames, itOfDialects, openTestStore, type TestStore } from '../support/stores.ts'

const text = (length: number) => 'x'.repeat(length)
const half = limits.changeBytesMax / 2
const tooLarge = { verdict: 'rejected', error: { code: 'too_large', retryable: false } }
const applied = { verdict: 'applied' }

describe.each(allStoreNames)('a row that grows by patches, on %s', { timeout: 60_000 }, (name) => {
  let opened: TestStore
  let sync: Sync<Sample>
  beforeAll(async () => {
    opened = await openTestStore(name)
    sync = sampleSync(opened.store)
  }, 60_000)
  afterAll(() => opened.close())
  const itSpells = itOfDialects(name)

  const push = async (who: string, changes: Parameters<Sync<Sample>['push']>[1]['changes'], atomic = false) =>
    (await sync.push(principal(who), { client: 'phone', changes: changes ?? [], atomic })).verdicts
  /** Pages of large rows are short. */
  const rowsOf = async (who: string) => {
    const rows = new Map<string, object | undefined>()
    for (let cursor: string | null = null, more = true; more; ) {
      const page = await sync.pull(principal(who), { cursor })
      for (const change of page.changes) rows.set(change.id, 'row' in change ? change.row : undefined)
      ;({ cursor, more } = page)
    }
    return rows
  }
  const lengthsOf = (row: object | undefined) =>
    Object.values(row ?? {}).flatMap((value) => (typeof value === 'string' ? [value.length] : []))

  it('ends at the limit of a change, and only the patch beyond it is rejected (P12)', async () => {
    await push('limit', [put('a', 0, text(half)), put('b', 0, text(half)), put('c', 0, 'c')])
    const verdicts = await push('limit', [
      patch('a', 1, { notes: text(half) }),
      patch('b', 1, { notes: text(half + 1) }),
      patch('c', 1, { notes: 'small' }),
      put('d', 1, 'd'),
    ])
    expect(verdicts).toMatchObject([applied, tooLarge, applied, applied])
    const rows = await rowsOf('limit')
    expect(['a', 'b', 'c', 'd'].map((id) => lengthsOf(rows.get(id)))).toEqual([[half, half], [half], [1, 5], [1]])
  })

  itSpells('is judged by what a change set leaves of it, and loses only the patch that is too much', async () => {
    const verdicts = await push('several', [
      put('a', 0, text(half)),
      patch('a', 1, { notes: text(half - 9) }),
      patch('a', 2, { list_id: text(10) }),
      put('b', 0, text(half)),
      patch('b', 1, { notes: text(half + 1) }),
      patch('b', 2, { notes: 'less' }),
    ])
    expect(verdicts).toMatchObject([applied, applied, tooLarge, applied, applied, applied])
    const rows = await rowsOf('several')
    expect(['a', 'b'].map((id) => lengthsOf(rows.get(id)))).toEqual([
      [half, half - 9],
      [half, 4],
    ])
  })

  itSpells('stays as it was by an atomic change set, which says which patch it was', async () => {
    await push('atomic', [put('a', 0, text(half))])
    const changes = [put('b', 1, 'b'), patch('a', 1, { notes: text(half + 1) })]
    const error = await push('atomic', changes, true).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'atomic_rejected', members: { index: 1, error: { code: 'too_large' } } })
    expect([...(await rowsOf('atomic')).keys()]).toEqual(['a'])
  })

  itSpells('is not looked at by a patch that is stale, or finds no row, or makes it smaller', async () => {
    await push('others', [put('a', 10, text(half)), put('b', 0, text(half)), del('dead', 10)])
    const long = { notes: text(half + 1) }
    expect(await push('others', [patch('a', 1, long), patch('dead', 1, long), patch('never', 1, long)])).toMatchObject([
      { verdict: 'stale' },
      { verdict: 'stale' },
      { verdict: 'rejected', error: { code: 'row_missing' } },
    ])
    expect(await push('others', [patch('b', 1, { title: 'b', ...long })])).toMatchObject([applied])
  })

  // A file has none to count.
  it.skipIf(name === 'libsql file')('costs no round trip more', async () => {
    for (const size of [1, half]) {
      await push(`trips-${size}`, [put('a', 0, text(size))])
      const before = opened.roundTrips()
      await push(`trips-${size}`, [patch('a', 1, { notes: text(size) })])
      expect(opened.roundTrips() - before).toBe(1)
    }
  })
})
