import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/command.ts'
import { runHere } from '../../support/run-here.ts'
import { principal, sampleSync } from '../../support/sample.ts'
import { dialectStores, openTestStore, type TestStore, temporaryFolder } from '../../support/stores.ts'

describe.each(dialectStores)('files as other programs write them, into %s', (name) => {
  let opened: TestStore
  let folder: string
  let drop: () => Promise<void>
  beforeAll(async () => {
    opened = await openTestStore(name)
    ;({ folder, drop } = await temporaryFolder())
  })
  afterAll(async () => {
    await opened.close()
    await drop()
  })
  const path = (file: string) => join(folder, file)
  const run = (words: readonly string[], input: string | Uint8Array = '') =>
    input === ''
      ? runHere('import', ['--table', 'todos', ...words], { DATABASE_URL: opened.url }, { cwd: folder })
      : runCli('import', ['--table', 'todos', ...words], { DATABASE_URL: opened.url }, { cwd: folder, input })
  /** Some columns of the rows of a scope, by their ids. */
  async function rowsOf(scope: string, ...columns: readonly string[]): Promise<unknown[]> {
    const { changes } = await sampleSync(opened.store).pull(principal(scope), { limit: 5000 })
    return changes
      .map((change) => {
        const row: Record<string, unknown> = change.op === 'put' ? change.row : {}
        return [change.id, ...columns.map((column) => row[column])]
      })
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  }

  it('P12 Windows-1252: what is rejected is kept in its own bytes, mended and imported with the same options', async () => {
    const file = 'id;title;done\r\n1;Müller;ja\r\n2;"Bäcker ""Ö""";vielleicht\r\n3;Straße;nein\r\n'
    await writeFile(path('win.csv'), Buffer.from(file, 'latin1'))
    const words = ['--scope', 'win', '--delimiter', ';', '--encoding', 'windows-1252', '--true', 'ja', '--false', 'nein']
    expect(await run([...words, 'win.csv'])).toMatchObject({ code: 2, err: expect.stringMatching(/^Line 3: invalid_value\. todos\.done must be true or false/) })
    expect(await rowsOf('win', 'title', 'done')).toEqual([['1', 'Müller', true], ['3', 'Straße', false]])
    const rejected = await readFile(path('win.csv.rejected.csv'))
    expect(rejected.toString('latin1')).toBe('id;title;done\r\n2;"Bäcker ""Ö""";vielleicht\r\n')
    expect(JSON.parse(await readFile(path('win.csv.rejected.ndjson'), 'utf8')).text).toBe('2;"Bäcker ""Ö""";vielleicht')
    await writeFile(path('mended.csv'), rejected.toString('latin1').replace('vielleicht', 'ja'), 'latin1')
    expect(await run([...words, 'mended.csv'])).toMatchObject({ code: 0 })
    expect((await rowsOf('win', 'title'))[1]).toEqual(['2', 'Bäcker "Ö"'])
  }) // biome-ignore format: long lines

  it('UTF-16 with a mark, lines of an old Mac, and sep=', async () => {
    const files = [
      Buffer.from('\ufeffid\ttitle\r\n1\tMüller\r\n', 'utf16le'),
      Buffer.from('\ufeffid\ttitle\r\n1\tMüller\r\n', 'utf16le').swap16(),
      Buffer.from('id\ttitle\r1\tMüller\r'),
      Buffer.from('sep=\t\r\nid\ttitle\r\n1\tMüller\r\n'),
    ]
    for (const [n, bytes] of files.entries()) {
      await writeFile(path(`${n}.csv`), bytes)
      expect(await run(['--scope', `e${n}`, ...(n === 3 ? [] : ['--delimiter', 'tab']), `${n}.csv`])).toMatchObject({ code: 0, err: '' })
      expect(await rowsOf(`e${n}`, 'title')).toEqual([['1', 'Müller']])
    }
  }) // biome-ignore format: long lines

  it('P12 a decimal comma: nothing is stored where a thousand and a thousandth look the same, also of a pipe', async () => {
    const file = 'id;title;amount\r\n1;Miete;1.234\r\n2;Strom;89,90\r\n3;Auto;12.345,67\r\n4;Kaffee;3\r\n5;Haus;1.234.567\r\n'
    await writeFile(path('german.csv'), file)
    const words = ['--scope', 'german', '--delimiter', ';']
    const refused = { code: 1, out: '', err: expect.stringMatching(/^The numbers of todos\.amount could mean either: line 2 .*, and line 3 .* Write --decimal , where/) }
    expect(await run([...words, 'german.csv'])).toEqual(refused)
    expect(await run([...words, '--format', 'csv', '-'], file)).toEqual(refused)
    expect(await rowsOf('german')).toEqual([])
    expect(await run([...words, '--decimal', ',', 'german.csv'])).toMatchObject({ code: 0, err: '' })
    expect(await rowsOf('german', 'amount')).toEqual([['1', 1234], ['2', 89.9], ['3', 12345.67], ['4', 3], ['5', 1234567]])
  }) // biome-ignore format: long lines

  it('null and empty text, as Postgres and MySQL write them', async () => {
    await writeFile(path('pg.csv'), 'id,title,notes\n1,null,\n2,empty text,""\n3,marker,NULL\n4,marker,\\N\n5,text,"\\N"\n')
    for (const [scope, options, expected] of [
      ['n1', [], [null, '', 'NULL', '\\N', '\\N']],
      ['n2', ['--null', '\\N', '--null', 'NULL'], [null, '', null, null, '\\N']],
      ['n3', ['--null', '\\N', '--empty-as-text'], ['', '', 'NULL', null, '\\N']],
    ] as const) {
      expect(await run(['--scope', scope, ...options, 'pg.csv'])).toMatchObject({ code: 0, err: '' })
      expect((await rowsOf(scope, 'notes')).map((row) => (row as unknown[])[1])).toEqual(expected)
    }
  }) // biome-ignore format: long lines

  it('P11 rows of many users, each to its own scope, of CSV and of JSON', async () => {
    const options = ['--scope-column', 'user_id', '--map', 'done=is_complete', '--at-column', 'created_at']
    await writeFile(path('supabase.csv'), 'id,created_at,title,is_complete,user_id\n1,2026-09-01 10:00:00.123456+00,Buy milk,f,u-1\n2,2026-09-01 10:00:01.5+00,Call,t,u-2\n')
    expect(await run([...options, 'supabase.csv'])).toMatchObject({ code: 0, err: '' })
    expect(await rowsOf('u-1', 'title', 'done')).toEqual([['1', 'Buy milk', false]])
    expect(await rowsOf('u-2', 'title', 'done')).toEqual([['2', 'Call', true]])
    const lines = [{ id: 3, created_at: '2026-09-01T10:00:00Z', title: 'x', is_complete: 1, user_id: 'u-1' }, { id: 4, created_at: '2026-09-01T10:00:00Z', title: 'y', user_id: '' }]
    await writeFile(path('users.ndjson'), lines.map((line) => JSON.stringify(line)).join('\n'))
    expect(await run([...options, 'users.ndjson'])).toMatchObject({ code: 2, err: expect.stringMatching(/^Line 2: invalid_change\. "scope" must be text of 1 to 128 /) })
    expect(await rowsOf('u-1', 'title', 'done')).toEqual([['1', 'Buy milk', false], ['3', 'x', true]])
  }) // biome-ignore format: long lines

  it.each([
    ['json', 'rows.json', '[\n  {\n "id": 1, "title": "x", "priority": "5"\n },\n {"id": "2", "title": "y"} ]', [['1', 'x', 5], ['2', 'y', 0]]],
    ['json', 'pretty.json', '{\n "id": 1,\n "title": "x"\n}\n{\n "id": 2,\n "title": "y"\n}\n', [['1', 'x', 0], ['2', 'y', 0]]],
    ['json', 'named.json', '{"lists":[{"id":9}],"todos":[{"id":1,"title":"x"}]}', undefined],
    ['json', 'todos.json', '{"todos":{"1":{"title":"x"},"2":{"title":"y"}}}', [['1', 'x', 0], ['2', 'y', 0]]],
    ['sqlite', 'sqlite.json', '[{"id":1,"title":"x","done":1,"priority":3},\n{"id":2,"title":"y","done":0,"priority":0}]\n', [['1', 'x', 3], ['2', 'y', 0]]],
    ['couchdb', 'changes.ndjson', '{"results":[\n{"seq":"1","id":"t1","changes":[{"rev":"1-a"}],"doc":{"_id":"t1","_rev":"1-a","title":"x"}},\n{"seq":"2","id":"t2","changes":[{"rev":"2-b"}],"deleted":true,"doc":{"_id":"t2","_rev":"2-b","_deleted":true}}\n],\n"last_seq":"2","pending":0}\n', [['t1', 'x', 0]]],
    ['couchdb', 'all.json', '{"total_rows":1,"offset":0,"rows":[{"id":"t1","key":"t1","value":{"rev":"1-a"},"doc":{"_id":"t1","_rev":"1-a","title":"x"}}]}', [['t1', 'x', 0]]],
    ['couchdb', 'dump.ndjson', '{"version":"1.2.6","db_type":"leveldb"}\n{"docs":[{"_id":"a","_rev":"1-x","title":"x"},{"_id":"b","_rev":"1-x","title":"y"}]}\n{"seq":2}\n', [['a', 'x', 0], ['b', 'y', 0]]],
    ['mongo', 'mongo.ndjson', '{"_id":{"$oid":"65f0c0ffee0000000000aaaa"},"title":"x","priority":{"$numberLong":"7"}}\n', [['65f0c0ffee0000000000aaaa', 'x', 7]]],
    ['firestore', 'rest.json', '{"documents":[{"name":"projects/p/databases/(default)/documents/todos/a1","fields":{"title":{"stringValue":"x"},"priority":{"integerValue":"5"}}}]}', [['a1', 'x', 5]]],
    ['firestore', 'backup.json', '{"__collections__":{"users":{"u":{}},"todos":{"k":{"title":"x","__collections__":{}}}}}', [['k', 'x', 0]]],
  ] as const)('--from %s: %s', async (from, file, text, expected) => {
    await writeFile(path(file), text)
    const ran = await run(['--scope', file, '--from', from, file])
    if (expected) {
      expect(ran).toMatchObject({ code: 0, err: '' })
      const { changes } = await sampleSync(opened.store).pull(principal(file), { limit: 5000 })
      expect(changes.filter(({ op }) => op === 'put')).toHaveLength(expected.length)
      expect((await rowsOf(file, 'title', 'priority')).filter((row) => (row as unknown[])[1] !== undefined)).toEqual(expected)
    } else {
      expect(ran).toMatchObject({ code: 1, err: expect.stringMatching(/^named\.json is one JSON object with rows within it\. .* jq -c '\.lists\[\]'\.\n$/) })
    }
  }) // biome-ignore format: a table

  it('P12 --check says what would be rejected, with the same files and exit code, and stores nothing', async () => {
    await writeFile(path('check.csv'), 'id,title,priority\n1,one,1\n2,two,high\n,three,3\n')
    const ran = await run(['--scope', 'check', '--check', 'check.csv'])
    expect(ran).toMatchObject({ code: 2, out: expect.stringMatching(/^3 rows in .*: 1 would be sent, 2 rejected\. Nothing was stored, /) })
    expect(ran.err).toMatch(/^Line 3: invalid_value\. .*\nLine 4: invalid_id\. /)
    expect(await readFile(path('check.csv.rejected.csv'), 'utf8')).toBe('id,title,priority\r\n2,two,high\r\n,three,3\r\n')
    expect(existsSync(path('check.csv.import.json'))).toBe(false)
    expect(await rowsOf('check')).toEqual([])
    const without = await runHere('import', ['--table', 'todos', '--scope', 'a', '--check', 'check.csv'], { DATABASE_URL: 'file:/nowhere/at/all.db' }, { cwd: folder })
    expect([without.code, without.err]).toEqual([2, ran.err])
  }) // biome-ignore format: long lines
})

describe('npx driftline import', () => {
  it('P13 of a pipe whose bytes go wrong late says how far it came, and how to go on', async () => {
    const opened = await openTestStore('libsql file')
    const rows = Array.from({ length: 120_000 }, (_, n) => `${n},row ${n} of many\n`).join('')
    const input = Buffer.concat([Buffer.from(`id,title\n${rows}x,M`), Buffer.from([0xfc, 10])])
    const words = ['--table', 'todos', '--scope', 'a', '--format', 'csv', '-']
    const ran = await runCli('import', words, { DATABASE_URL: opened.url }, { input })
    expect(ran.code).toBe(1)
    expect(ran.err).toMatch(/^Standard input is not UTF-8: line 120002, byte \d+ of the file, .*\nAll lines up to \d+ are done with\. Give all of it again with --at (\d+): what was taken is a duplicate then\.\n$/m)
    const taken = Number(/All lines up to (\d+)/.exec(ran.err)?.[1]) - 1
    expect(ran.out).toContain(`: ${taken.toLocaleString('en')} applied, `)
    await opened.close()
  }) // biome-ignore format: long lines

  it('explains each of its options with --help', async () => {
    const { code, out, err } = await runCli('import', ['--help'], {})
    expect([code, err]).toEqual([0, ''])
    const unknown = await runCli('import', ['--nothing'], {})
    const options = unknown.err.match(/--[a-z-]+/g)?.slice(1) ?? []
    expect(options.length).toBeGreaterThan(20)
    for (const option of options) expect(out).toContain(option)
  })
})
