import { existsSync } from 'node:fs'
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startExport } from '../../src/bulk/export.ts'
import { openExportFile } from '../../src/cli/export/file.ts'
import { createApp } from '../../src/http/app.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { openStore } from '../../src/stores/open.ts'
import type { Store } from '../../src/stores/store.ts'
import { runCli, startCli } from '../support/command.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { runHere } from '../support/run-here.ts'
import { del, patch, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'
import { type Line, Replica } from '../support/streams.ts'

const databases: Readonly<Record<string, (folder: string) => Promise<string>>> = {
  'a libSQL file': async (folder) => `file:${join(folder, 'a.db')}`,
  Postgres: () => createDatabase(),
  'a file for each scope': async (folder) => `file:${join(folder, 'data', '{scope}.db')}`,
}
const linesIn = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

describe.each(Object.entries(databases))('npx driftline export from %s', (_, makeUrl) => {
  let folder: string
  let drop: () => Promise<void>
  let store: Store
  let env: { DATABASE_URL: string }
  const alice = principal('alice', { team: 'write' })
  beforeAll(async () => {
    ;({ folder, drop } = await temporaryFolder())
    env = { DATABASE_URL: await makeUrl(folder) }
    const { findDatabases } = await import('../../src/runtime/node/databases.ts')
    const found = findDatabases(env.DATABASE_URL, schema)
    const migrations = await readMigrations(found.dialect, sampleMigrations)
    if (!found.perScope) {
      const one = await openStore(env.DATABASE_URL)
      await migrate(one, migrations)
      await one.close()
    }
    store = await found.open(migrations)
    const sync = sampleSync(store)
    for (let part = 0; part < 3; part++) {
      const changes = Array.from({ length: 4000 }, (_, n) => put(`t${part * 4000 + n}`, 0, `é ${n} },{"scope":"x"`))
      await sync.push(alice, { client: 'a', changes, return: 'lost' })
    }
    const list = { table: 'lists', op: 'put', id: 'l', at: 1.7e15, row: { name: 'L' } } as const
    const team = { ...put('of the team', 0, 'x', { amount: 1e-7 }), scope: 'team' }
    await sync.push(alice, { client: 'a', changes: [del('t5', 1), del('never', 1), list, team] })
  })
  afterAll(async () => {
    await store.close()
    await drop()
  })
  const run = (...args: string[]) => runHere('export', args, env)
  const rowsOf = async () => (await linesOfStream()).filter((line) => line.table)

  async function streamText(): Promise<string> {
    const app = createApp({ schema, store, auth: { secret: testSecret } })
    const token = await signToken(testSecret, { sub: 'alice', scopes: ['team'] })
    const headers = { Authorization: `Bearer ${token}`, Accept: 'application/x-ndjson' }
    const text = await (await app.request('/v1/pull?limit=5000', { headers })).text()
    // A file does not tell the time.
    return text.replace(/,"now":\d+/, '')
  }
  const linesOfStream = async () => linesIn(await streamText())

  it('writes the very lines of the stream to standard output, into a file and into a compressed file', async () => {
    const stream = await streamText()
    expect(linesIn(stream)[0]).toEqual({ rows: 12_001 })
    expect(linesIn(stream).filter(({ table }) => table)).toHaveLength(12_001)
    const both = ['--scope', 'alice', '--scope', 'team']
    expect(await runCli('export', both, env)).toEqual({ code: 0, out: stream, err: '' })
    const [plain, packed] = [join(folder, 'all.ndjson'), join(folder, 'all.ndjson.gz')]
    await writeFile(plain, 'of an older export')
    for (const out of [plain, packed]) {
      expect(await run(...both, '--out', out)).toEqual({ code: 0, out: `Exported 12001 rows to ${out}.\n`, err: '' })
    }
    expect(await readFile(plain, 'utf8')).toBe(stream)
    const bytes = await readFile(packed)
    expect(gunzipSync(bytes).toString()).toBe(stream)
    // One member: a decoder of the web's standard takes no second one.
    const decoded = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
    expect(await new Response(decoded).text()).toBe(stream)
    expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([])
  })

  it('takes the tables that are named', async () => {
    const { out } = await run('--scope', 'alice', '--table', 'lists')
    expect(linesIn(out)).toMatchObject([{ rows: 1 }, { table: 'lists', id: 'l' }, { more: false }])
    const all = await run('--scope', 'alice', '--table', 'lists', '--table', 'todos')
    expect(linesIn(all.out)[0]).toEqual({ rows: 12_000 })
  })

  it.each(['cut.ndjson', 'cut.ndjson.gz'])(
    'P1 P3 P8 goes on with %s where it was cut, and with what was written meanwhile the lines end as the database',
    async (name) => {
      const out = join(folder, name)
      const args = ['--scope', 'alice', '--out', out]
      // As a process that is killed leaves it: two pages, and a half one behind them.
      const { pages } = await startExport({ store, schema, scopes: ['alice'], cursor: null })
      const of = JSON.stringify([['alice'], ['lists', 'todos']])
      const file = await openExportFile(out, of, false)
      for (let page = 0; page < 2; page++) await file.write((await pages.next()).value)
      await file.cut()
      await appendFile(`${out}.part`, `{"scope":"alice"${' '.repeat(8 * 2 ** 20)}`)
      expect(existsSync(out)).toBe(false)

      const sync = sampleSync(store)
      const at = name.length
      await sync.push(alice, {
        client: 'a',
        changes: [del(`t${at}`, at), patch('t7', at, { notes: name }), put('t11999', at, name), put(name, at, 'new')],
      })
      expect(await run(...args, '--table', 'todos', '--resume')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/of other scopes or tables/),
      })
      expect(await run(...args, '--resume')).toMatchObject({ code: 0, err: '' })
      const bytes = await readFile(out)
      const lines = linesIn(name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString())
      expect(lines.filter((line) => line.rows !== undefined)).toHaveLength(1)
      expect(lines.filter(({ op }) => op === 'delete')).toHaveLength(1)
      const held = (await rowsOf()).filter(({ scope }) => scope === 'alice')
      expect(new Replica(lines).rows()).toEqual(new Replica(held).rows())
      expect((await readdir(folder)).filter((one) => one.includes('.part'))).toEqual([])
    },
  )

  it('P9 P16 does not go on where the database is another meanwhile, nor where nothing was cut', async () => {
    const out = join(folder, 'restored.ndjson')
    const args = ['--scope', 'team', '--out', out]
    expect(await run(...args, '--resume')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^There is no cut export/),
    })
    const { pages } = await startExport({ store, schema, scopes: ['team'], cursor: null })
    const file = await openExportFile(out, JSON.stringify([['team'], ['lists', 'todos']]), false)
    await file.write((await pages.next()).value)
    await file.cut()
    const sql = `UPDATE driftline_scopes SET incarnation = 'another' WHERE scope = 'team'`
    await store.batch('team', [{ sql, params: [] }])
    const refused = await run(...args, '--resume')
    expect(refused).toEqual({
      code: 1,
      out: '',
      err: 'team is no longer as the cut export has it: leave out --resume\n',
    })
    await rm(`${out}.part`)
    await writeFile(`${out}.part`, '')
    expect(await run(...args, '--resume')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is shorter than it was/),
    })
    expect(await run(...args)).toMatchObject({ code: 0 })
    expect(linesIn(await readFile(out, 'utf8'))).toMatchObject([{ rows: 1 }, { scope: 'team' }, { more: false }])
  })

  it.each([
    [[], /^Say whose rows: npx driftline export --scope alice/],
    [['--scop', 'alice'], /^Unknown option '--scop'\. The options are --scope …, --table …, --out …, --resume\.\n$/],
    [['--scope', 'nobody'], /^The scope nobody was never written to this database\n$/],
    [['--scope', 'alice', '--table', 'x'], /^There is no table x\. The tables are lists, todos\.\n$/],
    [['--scope', 'alice', '--resume'], /^Only an export into a file can be resumed/],
    [['--scope', 'alice', '--out', '/no/such/folder/x'], /^There is no folder for \/no\/such\/folder\/x/],
  ])('says in one sentence what is wrong with %j, and leaves no file', async (args, message) => {
    expect(await run(...args)).toEqual({ code: 1, out: '', err: expect.stringMatching(message) })
    expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([])
  })
})

describe('npx driftline export', () => {
  it('makes no database where there is none', async () => {
    const { folder, drop } = await temporaryFolder()
    const DATABASE_URL = `file:${join(folder, 'none.db')}`
    expect(await runHere('export', ['--scope', 'alice'], { DATABASE_URL })).toEqual({
      code: 1,
      out: '',
      err: `There is no database ${DATABASE_URL}: see DATABASE_URL\n`,
    })
    expect(await readdir(folder)).toEqual([])
    await drop()
  })

  it('is stopped by Ctrl-C after a page, and goes on', async () => {
    const { folder, drop } = await temporaryFolder()
    const [DATABASE_URL, out] = [`file:${join(folder, 'a.db')}`, join(folder, 'a.ndjson')]
    const store = await openStore(DATABASE_URL)
    await migrate(store, await readMigrations('sqlite', sampleMigrations))
    const rows = 100_000
    for (const sql of [
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'i', ${rows}, 0, 300)`,
      `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows}) INSERT INTO todos SELECT 'alice', 'id' || n, 1, 'a', 0, n, n, 'x', 0, 1, NULL, NULL, NULL FROM n`,
    ])
      await store.batch('', [{ sql, params: [] }])
    await store.close()
    const args = ['--scope', 'alice', '--out', out]
    const { child, ran } = startCli('export', args, { DATABASE_URL })
    while (!existsSync(`${out}.part.json`) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 2))
    child.kill('SIGINT')
    expect((await ran).code).toBe(130)
    expect(existsSync(out)).toBe(false)
    expect(await runCli('export', [...args, '--resume'], { DATABASE_URL })).toMatchObject({ code: 0 })
    const ids = linesIn(await readFile(out, 'utf8')).flatMap(({ id }) => id ?? [])
    expect([ids.length, new Set(ids).size]).toEqual([rows, rows])
    await drop()
  })
})
