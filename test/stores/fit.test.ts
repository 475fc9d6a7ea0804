import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counter, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { byColumn } from '../../src/model/table.ts'
import { encodeParts } from '../../src/sql/parts.ts'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { sqliteObject } from '../../src/sql/sqlite/object.ts'
import type { Statement } from '../../src/sql/statement.ts'
import { objectLimits } from '../../src/stores/durable-object.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { del, noon, patch, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { dialectStores, isQuick, openTestStore, type TestStore } from '../support/stores.ts'

const bytesOf = (value: string) => new TextEncoder().encode(value).length

describe('parameters that a database does not take', () => {
  it('are cut into parts of so many bytes, and a row that is larger alone stays whole', () => {
    const rows = ['a', 'é', '😀', 'x'.repeat(50), 'b', 'c']
    const encode = (part: readonly string[]) => [JSON.stringify(part)]
    for (const bytesMax of [5, 8, 12, 30, 1000, undefined]) {
      const parts = encodeParts(rows, encode, bytesMax).map(([part = '']) => part)
      expect(parts.flatMap((part) => JSON.parse(part))).toEqual(rows)
      for (const part of parts)
        if (JSON.parse(part).length > 1) expect(bytesOf(part)).toBeLessThanOrEqual(bytesMax ?? 1000)
    }
    expect(encodeParts(rows, encode, 1000)).toHaveLength(1)
    expect(encodeParts(['é'.repeat(40), 'x'], encode, 88)).toHaveLength(1)
    expect(encodeParts(['é'.repeat(40), 'x'], encode, 87)).toHaveLength(2)
  })

  it('are refused at the start, in a sentence, where only another schema could help', () => {
    const limits = { paramBytesMax: 1e6, sqlBytesMax: 1e5, resultColumnsMax: 100 }
    const wide = (columns: number) =>
      defineSchema({ wide: Object.fromEntries(Array.from({ length: columns }, (_, n) => [`c${n}`, text()])) })
    expect(() => compileSchema(wide(48), sqlite, limits)).not.toThrow()
    expect(() => compileSchema(wide(49), sqlite, limits)).toThrow(
      new TypeError('The table wide has 49 columns, and this database takes 48: split it'),
    )
    expect(() => compileSchema(schema, sqlite, { ...limits, sqlBytesMax: 3000 })).toThrow(
      /^The SQL of a page has \d+ bytes/,
    )
    expect(() => compileSchema(wide(20), sqlite, { ...limits, sqlBytesMax: 4000 })).toThrow(
      /^The SQL of the table wide has/,
    )
  })
})

describe('a table byColumn in a Durable Object', () => {
  const names = (count: number, of: string) => Array.from({ length: count }, (_, n) => `${of}${n}`)
  const wide = (plain: number, counters = 0) =>
    defineSchema({
      wide: byColumn({
        ...Object.fromEntries(names(plain, 'c').map((name) => [name, text({ nullable: true })])),
        ...Object.fromEntries(names(counters, 'n').map((name) => [name, counter()])),
      }),
    })

  it.skipIf(isQuick).each([
    [45, 0],
    [30, 15],
  ])(
    'has 45 columns, %i plain ones and %i counters, which are put, patched, deleted and pulled',
    async (plain, counters) => {
      const wideSchema = wide(plain, counters)
      const opened = await openTestStore('durable-object', wideSchema)
      const sync = createSync({ schema: wideSchema, store: opened.store })
      const who = principal('wide')
      const row = Object.fromEntries(names(plain, 'c').map((name) => [name, 'x']))
      const edits = { ...row, ...Object.fromEntries(names(counters, 'n').map((name) => [name, { add: 1 }])) }
      const one = (op: string, at: number, of?: object) => ({
        ...{ table: 'wide', op, id: 'x', at: noon + at },
        ...(of && { row: of }),
      })
      for (const change of [
        one('put', 0, row),
        one('patch', 1, edits),
        one('delete', 2),
        one('put', 3, row),
        one('patch', 4, edits),
      ]) {
        const { verdicts } = await sync.push(who, { client: 'a', changes: [change] } as never)
        expect(verdicts).toMatchObject([{ verdict: 'applied' }])
      }
      const ones = Object.fromEntries(names(counters, 'n').map((name) => [name, 1]))
      expect((await sync.pull(who)).changes).toMatchObject([{ row: { ...row, ...ones } }])
      // An import asks each column how it stands.
      const operations = createOperations({ schema: wideSchema, store: opened.store })
      const sets = { ...row, ...Object.fromEntries(names(counters, 'n').map((name) => [name, { set: 7 }])) }
      const grant = { scope: 'wide', isAllowed: () => true }
      for (const verdict of ['applied', 'duplicate']) {
        const request = { client: 'a', changes: [one('put', 5, sets)], grant, looks: verdict === 'duplicate' }
        expect((await operations.importChunk('x', request)).tally).toMatchObject({ [verdict]: 1 })
      }
      await opened.close()
    },
  )

  it('is refused at the start with one more, in a sentence', () => {
    expect(() => compileSchema(wide(45), sqliteObject, objectLimits)).not.toThrow()
    for (const more of [wide(46), wide(30, 16)])
      expect(() => compileSchema(more, sqliteObject, objectLimits)).toThrow(
        new TypeError('The table wide has 46 columns, with its stamps 101, and this database takes 100: split it'),
      )
  })
})

describe.each(dialectStores)('a change set in parts on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())

  const older = Array.from({ length: 30 }, (_, n) => put(`r${n}`, n % 3 ? 0 : 50, `first ${n}`))
  const changes = [
    ...Array.from({ length: 40 }, (_, n) => put(`r${n}`, 10, `é ${n}`)),
    ...Array.from({ length: 40 }, (_, n) => patch(`r${n}`, 20 + (n % 2) * 40, { notes: `note ${n}` })),
    ...Array.from({ length: 20 }, (_, n) => del(`r${n * 2}`, 15)),
    ...Array.from({ length: 30 }, (_, n) => patch(`p${n}`, 5, { done: true })),
    ...Array.from({ length: 30 }, (_, n) => put(`alone${n}`, 5, 'x'.repeat(n * 10))),
    { table: 'lists', op: 'put', id: 'l', at: noon, row: { name: 'L' } } as const,
  ]
  const plans = [
    { changes, client: 'b' },
    { changes, client: 'b', return: 'lost' },
    { changes: changes.slice(0, 80), client: 'c', atomic: true, return: 'lost' },
    { changes: changes.slice(80), client: 'c', cursor: null },
  ] as const

  it('P7 P12 is answered as if it were in one, every part within the bound', async () => {
    const answers: string[] = []
    let largest = 0
    let most = 0
    for (const paramBytesMax of [undefined, 300]) {
      const batch = (scope: string, statements: readonly Statement[]) => {
        most = Math.max(most, statements.length)
        // A block of Postgres takes the groups of a rehearsal as one text.
        const ordinary = statements.filter(({ sql }) => !sql.includes('driftline.groups'))
        for (const { params } of ordinary)
          for (const param of params) if (typeof param === 'string') largest = Math.max(largest, bytesOf(param))
        return opened.store.batch(scope, statements)
      }
      const limits = { paramBytesMax: paramBytesMax as number, sqlBytesMax: 1e6, resultColumnsMax: 500 }
      const store: Store = { ...opened.store, batch, ...(paramBytesMax && { limits }) }
      const sync = sampleSync(store)
      const who = principal(`parts-${paramBytesMax ?? 'none'}`)
      const seen: unknown[] = []
      largest = most = 0
      await sync.push(who, { client: 'a', changes: older })
      for (const plan of plans) seen.push(await sync.sync(who, plan).catch((error) => error.members))
      seen.push((await sync.pull(who)).changes)
      answers.push(
        JSON.stringify(seen)
          .replaceAll(who.subject, 'scope')
          .replaceAll(/"cursor":"[^"]*"/g, ''),
      )
    }
    expect(answers[1]).toBe(answers[0])
    // The largest row, alone, is above the bound.
    expect(largest).toBeLessThan(500)
    expect(most).toBeGreaterThan(30)
  })
})
