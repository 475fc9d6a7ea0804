import Database from 'libsql'
import { afterEach, describe, expect, it } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { boolean, integer, json, real, text } from '../../src/model/column.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { Schema } from '../../src/model/table.ts'
import { adopted } from '../../src/sync/adopted/adopted.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { principal } from '../support/sample.ts'
import { openEmptyStore, type TestStore } from '../support/stores.ts'

/** What only SQLite has, or does otherwise: own SQL comes by a connection of its own. */
describe('tables of somebody else in SQLite', () => {
  const closings: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closings.splice(0)) await close()
  })

  async function open(schema: Schema, statements: readonly string[]) {
    const opened: TestStore = await openEmptyStore('libsql file')
    await migrate(opened.store, [
      { name: '0001_app', statements },
      { name: '0002_adopt', statements: createTables(schema, 'sqlite') },
    ])
    const own = new Database(opened.url.slice('file:'.length), { timeout: 5_000 })
    closings.push(() => own.close(), opened.close)
    const operations = createOperations({ schema, store: opened.store })
    const phones = new Map<string, { cursor: string | null; rows: Map<string, unknown> }>()
    return {
      own: (sql: string) => void own.exec(sql),
      select: (sql: string) => own.prepare(sql).raw().all() as unknown[],
      push: async (who: string, ...changes: readonly object[]) =>
        JSON.parse(
          syncToJson(await operations.push(principal(who), decodeRequest({ client: 'a', changes }, 'sync'))),
        ).verdicts.map(({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict),
      /** What a phone holds that has pulled since: ids and rows. */
      async pull(who: string): Promise<[string, unknown][]> {
        const held = phones.get(who) ?? { cursor: null, rows: new Map<string, unknown>() }
        phones.set(who, held)
        const cursor = held.cursor === null ? null : parseCursor(held.cursor)
        const page = JSON.parse(
          pullToJson(await operations.pull(principal(who), { cursor, limit: 500, columns: 'all' })),
        )
        held.cursor = page.cursor
        for (const { id, row } of page.changes) {
          held.rows.delete(id)
          if (row) held.rows.set(id, row)
        }
        return [...held.rows]
      },
    }
  }

  const peopleOf = (unique: readonly (readonly string[])[]) =>
    defineSchema({
      people: adopted('people', {
        ...{ key: 'id', keyType: 'text', scope: 'team', unique },
        columns: { name: text({ nullable: true }), email: text({ nullable: true }) },
      }),
    })
  const peopleTable =
    'CREATE TABLE people (id TEXT PRIMARY KEY, team TEXT, name TEXT, email TEXT COLLATE NOCASE UNIQUE, place INTEGER, UNIQUE (team, place))'
  const keys = [['email'], ['team', 'place']]
  const filled = `INSERT INTO people VALUES ('a', 't', 'A', 'a@x', 1), ('b', 't', 'B', 'b@x', 2), ('c', 'u', 'C', 'c@x', 1)`

  const replacing = [
    ['REPLACE by the key, from another scope', `REPLACE INTO people VALUES ('c', 't', 'new', 'c@x', 3)`],
    ['REPLACE by another key, in another spelling', `REPLACE INTO people VALUES ('d', 't', 'new', 'A@X', 3)`],
    ['REPLACE by another key, from another scope', `REPLACE INTO people VALUES ('d', 't', 'new', 'c@x', 3)`],
    ['REPLACE by two keys at once', `REPLACE INTO people VALUES ('d', 't', 'new', 'a@x', 2)`],
    ['REPLACE of the row itself', `REPLACE INTO people VALUES ('a', 't', 'new', 'a@x', 1)`],
    ['UPDATE OR REPLACE of a unique column', `UPDATE OR REPLACE people SET email = 'B@x' WHERE id = 'a'`],
    ['UPDATE OR REPLACE of one of two columns', `UPDATE OR REPLACE people SET place = 2 WHERE id = 'a'`],
    ['UPDATE OR REPLACE of the key', `UPDATE OR REPLACE people SET id = 'b' WHERE id = 'c'`],
    ['UPDATE OR REPLACE of the scope', `UPDATE OR REPLACE people SET team = 't' WHERE id = 'c'`],
    [
      'an upsert over another key',
      `INSERT INTO people VALUES ('d', 'u', 'new', 'a@x', 9) ON CONFLICT (email) DO UPDATE SET name = 'new'`,
    ],
    ['INSERT OR IGNORE', `INSERT OR IGNORE INTO people VALUES ('d', 'u', 'new', 'a@x', 9)`],
  ] as const
  const variants = [
    ['', '', false],
    [' without rowid', ' WITHOUT ROWID', false],
    [' with recursive triggers', '', true],
  ] as const

  it.each(
    replacing.flatMap(([what, sql]) =>
      variants.map(([name, end, recursive]) => [`${what}${name}`, sql, end, recursive] as const),
    ),
  )('P17 %s is heard of, with what it removes', async (_, sql, end, recursive) => {
    const { own, pull, select } = await open(peopleOf(keys), [`${peopleTable}${end}`])
    if (recursive) own('PRAGMA recursive_triggers = on')
    own(filled)
    expect((await pull('t')).map(([id]) => id)).toEqual(['a', 'b'])
    expect((await pull('u')).map(([id]) => id)).toEqual(['c'])
    own(sql)
    for (const team of ['t', 'u']) {
      const told = await pull(team)
      const rows = select(`SELECT id, name, email FROM people WHERE team = '${team}'`) as [string, unknown, unknown][]
      const byId = <Row extends readonly unknown[]>(some: readonly Row[]) =>
        some.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
      expect(byId(told)).toEqual(byId(rows.map(([id, name, email]) => [id, { name, email }] as const)))
    }
  })

  it('P17 a key that is the rowid, given and drawn, is the id', async () => {
    const schema = defineSchema({
      people: adopted('people', { key: 'id', keyType: 'integer', scope: 'team', columns: { name: text() } }),
    })
    const { own, pull, push } = await open(schema, [
      'CREATE TABLE people (id INTEGER PRIMARY KEY, team INTEGER NOT NULL, name TEXT NOT NULL)',
    ])
    own(`INSERT INTO people (team, name) VALUES (7, 'drawn')`)
    own(`INSERT INTO people VALUES (40, 7, 'given'), (-1, 7, 'below')`)
    own(`REPLACE INTO people VALUES (40, 7, 'again')`)
    own(`UPDATE people SET id = 41 WHERE id = 40`)
    expect(await pull('7')).toEqual([
      ['1', { name: 'drawn' }],
      ['-1', { name: 'below' }],
      ['41', { name: 'again' }],
    ])
    expect(
      await push('7', {
        table: 'people',
        op: 'patch',
        id: '41',
        at: Date.now() * 1000 + 1_000_000,
        row: { name: 'pushed' },
      }),
    ).toEqual(['applied'])
    expect((await pull('7')).at(-1)).toEqual(['41', { name: 'pushed' }])
  })

  it('P17 whatever a column holds is handed out as its type, or is null', async () => {
    const schema = defineSchema({
      odd: adopted('odd', {
        ...{ key: 'id', keyType: 'text', scope: 'team' },
        columns: {
          n: integer({ nullable: true }),
          r: real({ nullable: true }),
          b: boolean({ nullable: true }),
          t: text({ nullable: true }),
          j: json({ nullable: true }),
        },
      }),
    })
    const { own, pull } = await open(schema, ['CREATE TABLE odd (id TEXT PRIMARY KEY, team TEXT, n, r, b, t, j)'])
    const values = [
      "'text'",
      "'12'",
      '7',
      '7.5',
      '-0.0',
      '9e999',
      "x'00ff'",
      "''",
      'NULL',
      '9223372036854775807',
      `'{"a":[1]}'`,
      'char(0)',
      `'a' || char(0) || 'b'`,
    ]
    for (const [n, value] of values.entries())
      own(
        `INSERT INTO odd VALUES ('v${String(n).padStart(2, '0')}', 'x', ${value}, ${value}, ${value}, ${value}, ${value})`,
      )
    const rows = (await pull('x')) as [string, Record<string, unknown>][]
    expect(rows).toHaveLength(values.length)
    for (const [id, { n, r, b, t, j }] of rows) {
      expect(n === null || Number.isSafeInteger(n), `${id} n ${n}`).toBe(true)
      expect(r === null || Number.isFinite(r), `${id} r ${r}`).toBe(true)
      expect(b === null || typeof b === 'boolean', `${id} b ${b}`).toBe(true)
      expect(t === null || typeof t === 'string', `${id} t ${t}`).toBe(true)
      expect(j === undefined).toBe(false)
    }
  })
})
