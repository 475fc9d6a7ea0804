import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import { type ChunkResult, createImport, importChunks, type LineOptions } from '../../../src/bulk/import.ts'
import { readLines } from '../../../src/bulk/ndjson.ts'
import type { Store } from '../../../src/stores/store.ts'
import type { RowTransport } from '../../../src/sync/push/plan-bulk.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { noon, principal, sampleSync } from '../../support/sample.ts'
import { schema } from '../../support/schema.ts'
import { allStoreNames, isSpelled, openTestStore, type TestStore } from '../../support/stores.ts'

type Line = Record<string, unknown>

interface Way {
  readonly store: Store
  readonly transport?: RowTransport
}

const names = [...allStoreNames, 'postgres by COPY'] as const

describe.each(names)('an import into %s', (name) => {
  let opened: TestStore
  let way: Way
  const onCommit: string[] = []
  beforeAll(async () => {
    opened = await openTestStore(name === 'postgres by COPY' ? 'postgres' : name)
    way = name === 'postgres by COPY' ? { store: opened.store, transport: transportByCopy(schema) } : opened
  })
  afterAll(() => opened.close())

  let scopes = 0
  const someone = () => principal(`importer${++scopes}`)

  /** Imports lines in chunks of so many, and gives the sums and the rejections. */
  async function run(
    scope: string,
    lines: readonly (Line | string | number)[],
    options: Partial<LineOptions> = {},
    linesMax = 3,
  ) {
    const operations = createOperations({
      ...{ ...way, schema, now: () => noon / 1000, onCommit: (one) => onCommit.push(one) },
    })
    const grant = { scope, isAllowed: (one: string) => one === scope }
    const all = { client: 'import', table: undefined, at: undefined, grant, ...options }
    const importChunk = createImport(operations.importChunk, 'importer', all)
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
    const chunks = readLines(bytesOf(text), { linesMax, textMax: 1e6 })
    const sum = { applied: 0, duplicate: 0, stale: 0, rejections: [] as ChunkResult['rejections'][number][] }
    for await (const one of importChunks(chunks, importChunk)) {
      for (const verdict of ['applied', 'duplicate', 'stale'] as const) sum[verdict] += one[verdict]
      sum.rejections.push(...one.rejections)
    }
    return sum
  }
  const rowsOf = async (who: ReturnType<typeof someone>) => {
    const { changes } = await sampleSync(opened.store).pull(who, { limit: 5000 })
    return changes.map(({ position: _, scope: __, ...rest }) => rest).sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  const put = (id: string, at: number, more: Line = {}): Line => {
    const { by, ...row } = more
    return { table: 'todos', op: 'put', id, at: noon + at, ...(by ? { by } : {}), row: { title: id, ...row } }
  }

  it('P5 P12 counts what becomes of each line, and a replay changes nothing', async () => {
    const who = someone()
    const lines = [
      ...Array.from({ length: 10 }, (_, n) => put(`a${n}`, n)),
      put('a1', 0),
      '',
      'nonsense',
      { ...put('x', 0), op: 'delete', row: undefined },
      put('late', 1e12),
      { ...put('b', 0), table: 'lists' },
      { table: 'lists', op: 'put', id: 'l', at: noon, row: { name: 'L' } },
      put('c', 0, { priority: 'high' }),
      { ...put('d', 0), scope: 'foreign' },
      { ...put('e', 0), id: { toString: 1, valueOf: 1 } },
      `{"table":${'['.repeat(90_000)}${']'.repeat(90_000)}}`,
    ]
    const first = await run(who.subject, lines)
    expect(first).toMatchObject({ applied: 12, duplicate: 0, stale: 1 })
    expect(first.rejections.map(({ line, error }) => [line, error.code])).toEqual([
      [13, 'invalid_change'],
      [15, 'clock_ahead'],
      [16, 'unknown_column'],
      [18, 'invalid_value'],
      [19, 'forbidden_scope'],
      [20, 'invalid_id'],
      [21, 'unknown_table'],
    ])
    const { cursor } = await sampleSync(opened.store).pull(who)
    const told = onCommit.length
    for (let time = 0; time < 2; time++) {
      expect(await run(who.subject, lines)).toMatchObject({ applied: 0, duplicate: 12, stale: 1 })
    }
    expect((await sampleSync(opened.store).pull(who, { cursor })).changes).toEqual([])
    expect(onCommit.length).toBe(told)
  })

  it('P12 counts a line by what the chunks before it have written', async () => {
    const who = someone()
    await run(who.subject, [put('a', 1), put('b', 1)])
    const lines = [put('a', 2), put('a', 1), put('b', 1), put('a', 2), put('b', 3)]
    expect(await run(who.subject, lines, {}, 1)).toMatchObject({ applied: 2, duplicate: 2, stale: 1 })
  })

  it('P12 takes the lines of many scopes, those of a chunk side by side', async () => {
    const people = Array.from({ length: 9 }, someone)
    const grant = { scope: undefined, isAllowed: (scope: string) => people.some(({ subject }) => subject === scope) }
    const lines = Array.from({ length: 90 }, (_, n) => ({ ...put(`r${n}`, n), scope: people[n % 9]?.subject }))
    const all = [...lines, put('nobody', 0), { ...put('x', 0), scope: 'else' }, { ...put('x', 0), scope: '' }]
    for (const sums of [{ applied: 90 }, { duplicate: 90 }]) {
      const sum = await run('', all, { grant }, 40)
      expect(sum).toMatchObject({ applied: 0, duplicate: 0, stale: 0, ...sums })
      expect(sum.rejections.map(({ line, error }) => [line, error.code])).toEqual([
        [91, 'invalid_change'],
        [92, 'forbidden_scope'],
        [93, 'invalid_change'],
      ])
    }
    for (const who of people) expect(await rowsOf(who)).toHaveLength(10)
  })

  it('P7 gives positions in the order of the lines', async () => {
    const who = someone()
    const ids = Array.from({ length: 300 }, (_, n) => `id${(n * 7919) % 300}`)
    await run(
      who.subject,
      ids.map((id) => put(id, 0)),
      {},
      1000,
    )
    const { changes } = await sampleSync(opened.store).pull(who, { limit: 5000 })
    expect(changes.map(({ id }) => id)).toEqual(ids)
  })

  it('P5 P12 sent again with some later and some earlier stamps, writes the later ones alone, whatever the ids', async () => {
    const who = someone()
    const ids = [
      '"',
      '\\',
      '\\u0041',
      '\\n',
      '__proto__',
      '0',
      '1e3',
      "'",
      '🏔',
      '{"a":1}',
      'a,b',
      'null',
      'NULL',
      'é',
      'é',
      ' ',
      '%',
    ]
    const lines = ids.map((id, n) => put(id, 0, { by: n % 2 ? 'b' : 'm' }))
    expect(await run(who.subject, lines, {}, 100)).toMatchObject({ applied: ids.length, rejections: [] })
    const stamps: [number, string][] = [[0, 'a'], [0, 'z'], [1, 'a'], [-1, 'z'], [946_684_800_000_000 - noon, 'z']] // biome-ignore format: a table
    for (const linesMax of [100, 4]) {
      for (const [at, by] of stamps) {
        const again = lines.map((line, n) => (n % 3 ? line : { ...line, by, at: noon + at }))
        const before = await rowsOf(who)
        const isLater = (id: unknown) => {
          const stored = before.find((row) => row.id === id)
          return stored && (noon + at > stored.at || (noon + at === stored.at && by > stored.by))
        }
        const later = again.filter(({ id }, n) => n % 3 === 0 && isLater(id))
        const sum = await run(who.subject, again, {}, linesMax)
        expect(sum).toMatchObject({ applied: later.length, rejections: [] })
        expect(sum.applied + sum.duplicate + sum.stale).toBe(ids.length)
        const written = new Set(later.map(({ id }) => id))
        expect(await rowsOf(who)).toEqual(
          before.map((row) => (written.has(row.id) ? { ...row, at: noon + at, by } : row)),
        )
      }
    }
    expect(await run(who.subject, lines, {}, 100)).toMatchObject({ applied: 0 })
  })

  it('takes rows with a stamp given once, for one table', async () => {
    const who = someone()
    const rows = [{ id: '1', title: 'one', done: true }, { id: '2', title: 'two' }, { id: '3' }, { title: 'x' }, 5]
    const { applied, rejections } = await run(who.subject, rows, { table: 'todos', at: noon - 5, client: 'crm' })
    expect(applied).toBe(2)
    expect(rejections.map(({ line, error }) => [line, error.code])).toEqual([
      [3, 'missing_column'],
      [4, 'invalid_id'],
      [5, 'invalid_change'],
    ])
    expect(await rowsOf(who)).toMatchObject([
      { id: '1', at: noon - 5, by: 'crm', row: { title: 'one', done: true, priority: 0 } },
      { id: '2', at: noon - 5, by: 'crm', row: { title: 'two', done: false } },
    ])
  })

  it('P6 P7 ends as pushes of its lines one by one, whoever wrote them and wherever its chunks end', async () => {
    const line = fc.record({
      op: fc.constantFrom('put', 'put', 'delete'),
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      at: fc.integer({ min: 1, max: 5 }),
      by: fc.constantFrom('a', 'import', 'z'),
      title: fc.constantFrom('one', 'two\ttabs\nand \\N \\', '"quoted", {é}'),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 4 }),
        fc.array(line, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        async (stored, list, linesMax) => {
          const [imported, pushed] = [someone(), someone()]
          const sync = sampleSync(opened.store)
          const toChange = ({ op, id, at, title }: (typeof list)[number]) =>
            ({ table: 'todos', op, id, at: noon + at, ...(op === 'put' && { row: { title } }) }) as never
          const push = async (who: typeof imported, one: (typeof list)[number]) =>
            sync.push(who, { client: one.by, changes: [toChange(one)] })
          for (const one of stored) for (const who of [imported, pushed]) await push(who, one)
          for (const one of list) await push(pushed, one)
          const lines = list.map((one) => ({ ...(toChange(one) as Line), by: one.by, position: 7 }))
          const { applied, duplicate, stale, rejections } = await run(imported.subject, lines, {}, linesMax)
          expect(rejections).toEqual([])
          expect(applied + duplicate + stale).toBe(list.length)
          expect(await rowsOf(imported)).toEqual(await rowsOf(pushed))
          expect(await run(imported.subject, lines, {}, 4)).toMatchObject({ applied: 0 })
        },
      ),
      { numRuns: name === 'libsql file' ? 40 : isSpelled(name) || name === 'postgres by COPY' ? 6 : 3 },
    )
  })

  it('P12 takes patches, and several changes of a row, as a change set of each client', async () => {
    const who = someone()
    const patch = (id: string, at: number, row: Line, by: string): Line => ({
      ...{ table: 'todos', op: 'patch', id, at: noon + at, by, row },
    })
    const lines = [
      patch('a', 3, { priority: 3 }, 'phone'),
      put('a', 1, { by: 'phone' }),
      patch('a', 2, { done: true }, 'phone'),
      put('b', 1, { by: 'tablet' }),
      patch('none', 1, { done: true }, 'phone'),
      patch('a', 9, { notes: 'last' }, 'tablet'),
    ]
    const { applied, rejections } = await run(who.subject, lines, {}, 100)
    expect(applied).toBe(5)
    expect(rejections.map(({ line, error }) => [line, error.code])).toEqual([[5, 'row_missing']])
    expect(await rowsOf(who)).toMatchObject([
      { id: 'a', at: noon + 9, by: 'tablet', row: { title: 'a', done: true, priority: 3, notes: 'last' } },
      { id: 'b' },
    ])
  })

  it('P12 rejects alone what the database refuses, by its line', async () => {
    const who = someone()
    await opened.store.batch(who.subject, [
      { sql: `CREATE UNIQUE INDEX one_name ON lists (scope, name) WHERE scope = '${who.subject}'`, params: [] },
    ])
    const lines = Array.from({ length: 40 }, (_, n) => ({
      ...{ table: 'lists', op: 'put', id: `l${n}`, at: noon, row: { name: n === 17 || n === 30 ? 'same' : `n${n}` } },
    }))
    const { applied, rejections } = await run(who.subject, lines, {}, 50)
    expect(applied).toBe(39)
    expect(rejections.map(({ line, error }) => [line, error.code])).toEqual([[31, 'constraint']])
    await opened.store.batch(who.subject, [{ sql: 'DROP INDEX one_name', params: [] }])
  })

  it('P7 takes the lines of a pull as they are, every type, and passes over those without a change', async () => {
    const [from, to] = [someone(), someone()]
    const sync = sampleSync(opened.store)
    await sync.push(from, {
      client: 'phone',
      changes: [
        { table: 'todos', op: 'put', id: 'é\u2028"\\', at: noon, row: { title: '\t\\N\n\r\u0001', amount: -1.5e-7 } },
        { table: 'lists', op: 'put', id: 'l', at: noon + 1, row: { name: '' } },
      ],
    })
    const { changes } = await sync.pull(from)
    const lines = [{ rows: 2 }, ...changes.map(({ scope: _, ...rest }) => rest), { cursor: 'x', more: false }]
    expect(await run(to.subject, lines)).toEqual({ applied: 2, duplicate: 0, stale: 0, rejections: [] })
    expect(await rowsOf(to)).toEqual(await rowsOf(from))
  })
})

async function* bytesOf(text: string, size = 50): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}
