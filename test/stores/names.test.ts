import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { integer, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { noon, principal } from '../support/sample.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

/** Names that the SQL uses itself, or that a database reserves. */
const names = [
  'i',
  'o',
  'a',
  'd',
  'p',
  'q',
  'c0',
  's0',
  'j',
  't',
  'b',
  'u',
  'base',
  'value',
  'key',
  'head',
  'page',
  'place',
  'at',
  'by',
  'dead',
  'v0',
  'n',
  'last',
  'more',
  'cap',
  'select',
  'order',
  'group',
  'user',
  'limit',
  'rowid',
  'excluded',
  'text',
  'size',
  'constructor',
]
const columns = Object.fromEntries(names.map((name) => [name, text({ nullable: true })]))
const schema = defineSchema({
  table: columns,
  order: { value: integer({ default: 0 }) },
  wide: Object.fromEntries(
    Array.from({ length: 150 }, (_, n) => [`n${n}`, n % 2 ? integer({ nullable: true }) : text({ nullable: true })]),
  ),
})

describe.each(dialectStores)('awkward names and many columns on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())

  it('puts, patches, loses and pulls them', async () => {
    const sync = createSync({ schema, store: opened.store, now: () => noon / 1000 })
    const who = principal('alice')
    const row = Object.fromEntries(names.map((column) => [column, `of ${column}`]))
    const wide = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`n${n}`, n % 2 ? n : `n${n}`]))
    const push = (client: string, changes: readonly unknown[]) => sync.push(who, { client, changes: changes as never })
    await push('a', [
      { table: 'table', op: 'put', id: '1', at: noon, row },
      { table: 'order', op: 'put', id: '1', at: noon, row: {} },
      { table: 'wide', op: 'put', id: '1', at: noon, row: wide },
    ])
    const { verdicts } = await push('b', [
      { table: 'table', op: 'patch', id: '1', at: noon + 1, row: { i: 'new', excluded: null } },
      { table: 'order', op: 'put', id: '1', at: noon - 1, row: { value: 5 } },
      { table: 'wide', op: 'patch', id: '1', at: noon + 1, row: { n149: 0, n0: null } },
      { table: 'table', op: 'patch', id: '2', at: noon + 1, row: { i: 'none' } },
    ])
    expect(verdicts).toMatchObject([
      { verdict: 'applied', current: { row: { ...row, i: 'new', excluded: null } } },
      { verdict: 'stale', current: { row: { value: 0 } } },
      { verdict: 'applied', current: { row: { ...wide, n149: 0, n0: null } } },
      { verdict: 'rejected' },
    ])
    const { changes } = await sync.pull(who)
    expect(changes).toHaveLength(3)
    for (const change of changes)
      expect(verdicts.map((verdict) => 'current' in verdict && verdict.current)).toContainEqual(change)
    await expect(
      push('c', [{ table: 'table', op: 'patch', id: '3', at: noon, row: { i: 'x' } }]).then(
        ({ verdicts: [one] }) => one,
      ),
    ).resolves.toMatchObject({ verdict: 'rejected' })
    await expect(
      sync.push(who, {
        client: 'c',
        atomic: true,
        changes: [{ table: 'table', op: 'patch', id: '3', at: noon, row: { i: 'x' } }] as never,
      }),
    ).rejects.toMatchObject({ members: { index: 0, error: { code: 'row_missing' } } })
  })
})
