import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { formatSnapshot, parseSnapshot, takeSnapshot } from '../../../src/migrations/snapshot.ts'
import { counter, integer, text, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { byColumn, type Schema } from '../../../src/model/table.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { noon, principal } from '../../support/sample.ts'
import { dialectStores } from '../../support/stores.ts'
import { type EmptyDatabase, emptyDirectory, openEmpty } from './databases.ts'

const alice = principal('alice')
const optional = text({ nullable: true })
const plain = { name: text(), price: integer({ nullable: true }), stock: integer({ default: 0 }) }
const first = defineSchema({ products: plain })

let directory: URL
let drop: () => Promise<void>
beforeEach(async () => {
  ;({ directory, drop } = await emptyDirectory())
})
afterEach(() => drop())

const read = (dialect: string, file = '0002_next') => readFile(new URL(`${dialect}/${file}.sql`, directory), 'utf8')
const next = (schema: Schema, name = 'next') => generate(schema, { name, directory })

/** Takes the comments from all SQL of a draft, as a person does. */
async function finish(file: string): Promise<void> {
  for (const dialect of ['postgres', 'sqlite']) {
    const [, ...blocks] = (await read(dialect, file)).split('\n\n')
    const sql = /^-- (-- driftline|ALTER|UPDATE|DROP|DO|CREATE|DELETE)/
    const done = blocks.map((block) => (sql.test(block) ? block.replace(/^-- /gm, '') : block))
    await writeFile(new URL(`${dialect}/${file}.sql`, directory), done.join('\n\n'))
  }
}

/** Runs a test over a new database of each dialect. */
async function each(use: (database: EmptyDatabase, apply: () => Promise<string[]>) => Promise<void>): Promise<void> {
  for (const name of dialectStores) {
    const database = await openEmpty(name)
    const { store } = database
    try {
      await use(database, async () => migrate(store, await readMigrations(store.dialect.name, directory)))
    } finally {
      await database.close()
    }
  }
}

type Pushed = readonly { readonly verdict: string; readonly error?: { readonly code: string } }[]
const pushTo = async ({ store }: EmptyDatabase, schema: Schema, client: string, ...changes: readonly object[]) =>
  ((await createSync({ schema, store }).push(alice, { client, changes } as never)).verdicts as Pushed).map(
    ({ verdict, error }) => error?.code ?? verdict,
  )
const rowsOf = async ({ store }: EmptyDatabase, schema: Schema) =>
  (await createSync({ schema, store }).pull(alice)).changes.map((one) => ('row' in one ? one.row : undefined))
const put = (id: string, at: number, row: object, table = 'products') => ({ table, op: 'put', id, at: noon + at, row })
const patch = (id: string, at: number, row: object, table = 'products') => ({
  ...{ table, op: 'patch', id, at: noon + at, row },
})
const stop = (table: string) =>
  `Stop the servers of before while you migrate: they would leave old stamps beside what they write to ${table}.`
const nothing = ['The migrations lead to the schema already: nothing to do.']

describe('generate', () => {
  it('P1 makes a table byColumn beside its rows, none of which is rewritten, and both patches stay', async () => {
    const after = defineSchema({ products: byColumn(plain) })
    await generate(first, { name: 'init', directory })
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    expect((await next(after)).slice(2, 3)).toEqual([stop('products')])
    expect(await generate(after, { directory })).toEqual(nothing)
    const text = await read('postgres')
    expect(text).toBe(`ALTER TABLE "products" ADD COLUMN "name$" text COLLATE "C";

ALTER TABLE "products" ADD COLUMN "price$" text COLLATE "C";

ALTER TABLE "products" ADD COLUMN "stock$" text COLLATE "C";

ALTER TABLE "products" ADD COLUMN "base$at" bigint;

ALTER TABLE "products" ADD COLUMN "base$by" text COLLATE "C";
`)
    expect(await read('sqlite')).toBe(text.replaceAll(' text COLLATE "C"', ' TEXT').replace(' bigint', ' INTEGER'))
    await each(async (database, apply) => {
      const { store, run } = database
      await migrate(store, files[store.dialect.name])
      await pushTo(database, first, 'a', put('x', 0, { name: 'n', price: 1 }), put('y', 0, { name: 'm' }))
      const look = () =>
        run('SELECT id, name, price, stock, updated_at, updated_by, position FROM products ORDER BY id')
      const stored = await look()
      expect(await check(store, after)).toEqual([
        'products.name$, products.price$, products.stock$, products.base$at, products.base$by are missing, which keep stamps: run npx driftline generate --name add-stamps-of-products, and npx driftline migrate.',
      ])
      expect(await apply()).toEqual(['0002_next'])
      expect(await look()).toEqual(stored)
      expect(await check(store, after)).toEqual([])
      // What is left over is in nobody's way.
      expect(await check(store, first)).toEqual([])
      expect(await pushTo(database, after, 'b', patch('x', 20, { name: 'N' }))).toEqual(['applied'])
      expect(await pushTo(database, after, 'c', patch('x', 10, { price: 2 }))).toEqual(['applied'])
      expect((await rowsOf(database, after)).at(-1)).toEqual({ name: 'N', price: 2, stock: 0 })
    })
  })

  it('gives a new column of such a table its stamp, a new counter its rule, and takes stamps along with a rename', async () => {
    await generate(defineSchema({ products: byColumn({ name: text(), sold: counter() }) }), { name: 'init', directory })
    await next(defineSchema({ products: byColumn({ name: text(), sold: counter(), colour: optional, likes: counter(), best: integer({ merge: 'max', default: 0 }) }) })) // biome-ignore format: one line
    expect(await read('sqlite')).toBe(`ALTER TABLE "products" ADD COLUMN "colour" TEXT;

ALTER TABLE "products" ADD COLUMN "likes" INTEGER DEFAULT 0 CHECK (deleted OR "likes" IS NOT NULL) CHECK ("likes" BETWEEN -9007199254740991 AND 9007199254740991);

ALTER TABLE "products" ADD COLUMN "best" INTEGER DEFAULT 0 CHECK (deleted OR "best" IS NOT NULL);

ALTER TABLE "products" ADD COLUMN "colour$" TEXT;

ALTER TABLE "products" ADD COLUMN "likes$" TEXT;

-- driftline: touch products
`)
    const before = defineSchema({ products: byColumn({ name: text(), sold: counter(), colour: optional, likes: counter(), best: integer({ merge: 'max', default: 0 }) }) }) // biome-ignore format: one line
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    const after = defineSchema(
      { goods: byColumn({ name: text(), gone: counter({ renamedFrom: 'sold' }), hue: text({ nullable: true, renamedFrom: 'colour' }), likes: counter(), best: integer({ merge: 'max', default: 0 }) }) }, // biome-ignore format: one line
      { renamedFrom: { goods: 'products' } },
    )
    await generate(after, { name: 'names', directory })
    expect(await generate(after, { directory })).toEqual(nothing)
    await each(async (database, apply) => {
      await migrate(database.store, files[database.store.dialect.name])
      const add = (column: string, table: string) => patch('x', 5, { [column]: { add: 2 } }, table)
      await pushTo(database, before, 'a', put('x', 0, { name: 'n' }))
      expect(await pushTo(database, before, 'a', add('sold', 'products'))).toEqual(['applied'])
      expect(await apply()).toEqual(['0003_names'])
      expect(await check(database.store, after)).toEqual([])
      // P5: an add is known by the new names.
      expect(await pushTo(database, after, 'a', add('gone', 'goods'))).toEqual(['duplicate'])
      expect(await pushTo(database, after, 'a', add('sold', 'products'))).toEqual(['duplicate'])
      expect(await rowsOf(database, after)).toEqual([{ name: 'n', gone: 2, hue: null, likes: 0, best: 0 }])
    })
  })

  it.each([
    ['required', integer({ default: 0 }), { 1: 7, 2: 0 }],
    ['nullable', integer({ nullable: true }), { 1: 7, 2: 0 }],
  ])('leaves a %s integer that becomes a counter to a draft, which keeps what is stored', async (_, stock, stocks) => {
    const before = defineSchema({ products: { name: text(), stock } })
    const after = defineSchema({ products: { name: text(), stock: counter() } })
    await generate(before, { name: 'init', directory })
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    expect(await next(after)).toEqual(expect.arrayContaining(['products.stock is a counter now.', stop('products')]))
    await finish('0002_next')
    await each(async (database, apply) => {
      const { store, run } = database
      await migrate(store, files[store.dialect.name])
      await pushTo(database, before, 'a', put('1', 0, { name: 'n', stock: 7 }), put('2', 0, { name: 'm' }))
      await pushTo(database, before, 'a', { table: 'products', op: 'delete', id: '3', at: noon })
      await apply()
      expect(await check(store, after)).toEqual([])
      expect(await pushTo(database, after, 'b', patch('1', 1, { stock: { add: 3 } }), patch('2', 1, { stock: { add: 1 } }))).toEqual(['applied', 'applied']) // biome-ignore format: one line
      const stored = await run('SELECT id, stock FROM products WHERE NOT deleted ORDER BY id')
      expect(stored.map(([id, value]) => [id, Number(value)])).toEqual([
        ['1', stocks[1] + 3],
        ['2', stocks[2] + 1],
      ])
      await expect(run("UPDATE products SET stock = 9007199254740992 WHERE id = '1'")).rejects.toThrow()
      await expect(run("UPDATE products SET stock = NULL WHERE id = '1'")).rejects.toThrow()
    })
  })

  it('makes a key unique where rows cannot share it, and else leaves it to a draft that says which do', async () => {
    const members = { email: optional, team: text({ default: 'a' }) }
    const before = defineSchema({ members })
    await generate(before, { name: 'init', directory })
    const certain = defineSchema({ members: { ...members, phone: text({ nullable: true, unique: true }) } })
    await next(certain)
    expect(await read('sqlite')).toBe(
      'ALTER TABLE "members" ADD COLUMN "phone" TEXT;\n\nCREATE UNIQUE INDEX "members_phone_key" ON "members" (scope, "phone") WHERE NOT deleted;\n',
    )
    const doubtful = defineSchema(
      { members: { ...members, phone: text({ nullable: true, unique: true }) } },
      { unique: { members: [['team', 'email']] } },
    )
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    expect((await generate(doubtful, { name: 'key', directory })).slice(0, 3)).toEqual([
      'Wrote migrations/postgres/0003_key.sql, a draft',
      'Wrote migrations/sqlite/0003_key.sql, a draft',
      '(team, email) of members is unique now.',
    ])
    const select =
      'SELECT scope, "team", "email", count(*) FROM "members" WHERE "team" IS NOT NULL AND "email" IS NOT NULL GROUP BY scope, "team", "email" HAVING count(*) > 1'
    expect(await read('postgres', '0003_key')).toContain(`-- ${select}\n`)
    await finish('0003_key')
    await each(async (database, apply) => {
      const { store, run } = database
      await migrate(store, files[store.dialect.name])
      const one = (id: string, row: object) => put(id, 0, row, 'members')
      await pushTo(
        database,
        certain,
        'a',
        one('1', { email: 'e' }),
        one('2', { email: 'e' }),
        one('3', {}),
        one('4', {}),
      )
      expect(await check(store, doubtful)).toEqual([
        'members has no unique index on (scope, team, email), which the schema asks for: write CREATE UNIQUE INDEX "members_team_email_key" ON "members" (scope, "team", "email") WHERE NOT deleted.',
      ])
      expect((await run(select)).map((cells) => cells.map(String))).toEqual([['alice', 'a', 'e', '2']])
      await expect(apply()).rejects.toThrow()
      await pushTo(database, certain, 'a', { table: 'members', op: 'delete', id: '2', at: noon + 1 })
      expect(await apply()).toEqual(['0003_key'])
      expect(await check(store, doubtful)).toEqual([])
    })
    // A key keeps up with its columns' names, and goes where it is none any more.
    const renamed = defineSchema(
      {
        people: { mail: text({ nullable: true, renamedFrom: 'email' }), team: text({ default: 'a' }), phone: optional },
      },
      { renamedFrom: { people: 'members' }, unique: { people: [['team', 'mail']] } },
    )
    await generate(renamed, { name: 'people', directory })
    expect(await generate(renamed, { directory })).toEqual(nothing)
    await each(async (database, apply) => {
      await apply()
      expect(await check(database.store, renamed)).toEqual([])
      const names = await database.run(
        database.store.dialect.name === 'postgres'
          ? "SELECT indexname FROM pg_indexes WHERE tablename = 'people' AND indexname LIKE '%\\_key' ORDER BY 1"
          : "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE '%\\_key' ESCAPE '\\' ORDER BY 1",
      )
      expect(names.map(([name]) => name)).toEqual(['people_team_mail_key'])
    })
  })

  it('leaves what is not byColumn any more, and counters that are gone, to a draft that loses no other value', async () => {
    const before = defineSchema({ products: byColumn({ name: text(), price: integer({ nullable: true }), stock: counter() }) }) // biome-ignore format: one line
    const after = defineSchema({ products: { name: text(), price: integer({ nullable: true }) } })
    await generate(before, { name: 'init', directory })
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    expect((await next(after)).slice(2, 4)).toEqual([
      'products.stock is gone from the schema.',
      'products.name$, products.price$, products.base$at, products.base$by: stamps that the schema asks for no longer.',
    ])
    await finish('0002_next')
    await each(async (database, apply) => {
      const { store, run } = database
      await migrate(store, files[store.dialect.name])
      await pushTo(database, before, 'a', put('x', 0, { name: 'n' }), patch('x', 5, { stock: { add: 1 } }))
      await pushTo(database, before, 'a', patch('x', 9, { price: 3 }))
      // A server of the new schema serves beside what is left over.
      expect(await check(store, after)).toEqual([])
      expect(await rowsOf(database, after)).toEqual([{ name: 'n', price: 3 }])
      expect(await apply()).toEqual(['0002_next'])
      expect(await check(store, after)).toEqual([])
      expect(await rowsOf(database, after)).toEqual([{ name: 'n', price: 3 }])
      expect(await pushTo(database, after, 'b', patch('x', 8, { name: 'late' }))).toEqual(['stale'])
      expect(await run('SELECT * FROM driftline_adds')).toEqual([])
    })
  })

  it('asks a new time that the server fills to be nullable, and records a rule of the server’s alone without SQL', async () => {
    await generate(first, { name: 'init', directory })
    const clock = "is new and required, and nobody knows what the server's clock said for the rows that exist"
    for (const [filled, until] of [
      ['created', ''],
      ['written', ' until they are written'],
    ] as const) {
      await expect(next(defineSchema({ products: { ...plain, time: timestamp({ filled }) } }))).rejects.toThrow(
        `products.time ${clock}: give it nullable: true, and they have null${until}, or what a migration of your own fills in.`,
      )
    }
    const ruled = defineSchema({ products: { ...plain, price: integer({ nullable: true, merge: 'max' }) } })
    expect(await generate(ruled, { directory })).toEqual(nothing)
  })

  it.each([false, true])(
    'numbers the rows that exist in a new column with the position of the put that made them, nullable: %s',
    async (nullable) => {
      const after = defineSchema({
        products: { ...plain, number: integer({ filled: 'created', ...(nullable && { nullable: true }) }) },
      })
      await generate(first, { name: 'init', directory })
      const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
      await next(after)
      expect(await generate(after, { directory })).toEqual(nothing)
      await each(async (database, apply) => {
        const { store, run } = database
        await migrate(store, files[store.dialect.name])
        await pushTo(
          database,
          first,
          'a',
          put('x', 0, { name: 'x' }),
          put('y', 1, { name: 'y' }),
          put('z', 2, { name: 'z' }),
        )
        // Written again, a row keeps its number; a tombstone has none.
        await pushTo(database, first, 'a', patch('x', 5, { name: 'X' }), {
          table: 'products',
          op: 'delete',
          id: 'y',
          at: noon + 6,
        })
        const { cursor } = await createSync({ schema: first, store }).pull(alice)
        expect(await apply()).toEqual(['0002_next'])
        expect(await check(store, after)).toEqual([])
        const numbers = async () =>
          (await run('SELECT id, number FROM products ORDER BY id')).map(([id, number]) => [id, number === null ? null : Number(number)]) // biome-ignore format: a list
        expect(await numbers()).toEqual([['x', 1], ['y', null], ['z', 3]]) // biome-ignore format: a list
        // Phones hear of them, as of a default.
        const { changes } = await createSync({ schema: after, store }).pull(alice, { cursor })
        expect(changes.map(({ id }) => id).toSorted()).toEqual(['x', 'z'])
        // What comes later has a greater number, and so has what is put anew.
        await pushTo(database, after, 'b', put('new', 20, { name: 'n' }), put('y', 21, { name: 'again' }))
        const all = new Map((await numbers()).map(([id, number]) => [id, Number(number)]))
        expect(new Set(all.values()).size).toBe(4)
        expect(Math.min(Number(all.get('new')), Number(all.get('y')))).toBeGreaterThan(3)
        expect(await pushTo(database, after, 'b', patch('z', 30, { name: 'Z' }))).toEqual(['applied'])
        expect(Object.fromEntries((await numbers()) as [string, number][])).toMatchObject({ x: 1, z: 3 })
      })
    },
  )

  it('gives a new time that is nullable to rows that exist once they are written', async () => {
    const time = (filled: 'created' | 'written') => timestamp({ filled, nullable: true })
    const after = defineSchema({ products: { ...plain, made: time('created'), written: time('written') } })
    await generate(first, { name: 'init', directory })
    const files = { postgres: await readMigrations('postgres', directory), sqlite: await readMigrations('sqlite', directory) } // biome-ignore format: a pair
    await next(after)
    await each(async (database, apply) => {
      await migrate(database.store, files[database.store.dialect.name])
      await pushTo(database, first, 'a', put('x', 0, { name: 'x' }))
      await apply()
      expect(await rowsOf(database, after)).toMatchObject([{ made: null, written: null }])
      expect(await pushTo(database, after, 'b', patch('x', 5, { name: 'X' }))).toEqual(['applied'])
      expect(await rowsOf(database, after)).toMatchObject([{ made: null, written: expect.stringMatching(/^20.*Z$/) }])
    })
  })

  it('refuses keys whose indexes would have one name, with another or with a table', async () => {
    const members = { a: optional, b: optional, a_b: text({ nullable: true, unique: true }) }
    await expect(next(defineSchema({ members }, { unique: { members: [['a', 'b']] } }))).rejects.toThrow(
      'The index members_a_b_key would be that of (a_b) of members and of (a, b) of members: give a table or column another name.',
    )
    await expect(next(defineSchema({ members, members_a_b_key: { a: optional } }))).rejects.toThrow(
      'The table members_a_b_key has the name of an index of (a_b) of members: give it another.',
    )
  })

  it('keeps stamps and keys in lines of their own, of which git may keep those of both branches', () => {
    const schema = defineSchema(
      { members: byColumn({ email: text({ unique: true }), team: optional, points: counter() }) },
      { unique: { members: [['team', 'points_of']].slice(1) } },
    )
    const snapshot = takeSnapshot(schema)
    const text$ = formatSnapshot(snapshot)
    expect(parseSnapshot(text$)).toEqual(snapshot)
    expect(text$.split('\n')).toContain(',["members",{"stamp":"email$"}]')
    expect(text$.split('\n')).toContain(',["members",{"unique":["email"]}]')
    // By `union`, a line may be there twice.
    expect(parseSnapshot(text$.replace(/(,\["members",\{"stamp":"team\$"\}\]\n)/, '$1$1'))).toEqual(snapshot)
    expect(() => parseSnapshot('[\n["members",{"unique":[]}]\n]')).toThrow(/cannot be read/)
  })
})
