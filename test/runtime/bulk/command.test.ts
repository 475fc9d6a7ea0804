import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/command.ts'
import { runHere } from '../../support/run-here.ts'
import { noon, principal, sampleSync } from '../../support/sample.ts'
import { createDatabase, dialectStores, openTestStore, type TestStore, temporaryFolder } from '../../support/stores.ts'

const time = '2026-11-21T01:00:00Z'
const at = noon - 3_600_000_000

describe.each(dialectStores)('npx driftline import into %s', (name) => {
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
  const run = (args: string, input: string | Uint8Array = '') =>
    input === ''
      ? runHere('import', args.split(' '), { DATABASE_URL: opened.url }, { cwd: folder })
      : runCli('import', args.split(' '), { DATABASE_URL: opened.url }, { cwd: folder, input })
  const rowsOf = async (scope: string) => {
    const { changes } = await sampleSync(opened.store).pull(principal(scope), { limit: 5000 })
    return changes.map(({ position: _, scope: __, ...rest }) => rest).sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  const summary = (counts: string) =>
    expect.stringMatching(new RegExp(`^\\d+ rows in [\\d.]+ s, [\\d,]+ a second: ${counts}\\.\\n$`))

  it('P5 P7 takes CSV with its odd characters, and again as duplicates', async () => {
    const fields = ['Zürich 🏔, "the city"\r\nof', '\\N', "'; DROP TABLE todos; --", '\t\\t\u2028', 'é', '\u202e\ufeff']
    const quoted = fields.map((field) => `"${field.replaceAll('"', '""')}"`)
    const rows = quoted.map((field, n) => `${field},k${n},${n % 2 === 0},${n === 3 ? '' : n / 2},skip`)
    await writeFile(path('odd.csv'), `\ufeffwhat,key,done,amount,x\r\n${rows.join('\r\n')}`)
    const options = `--table todos --scope odd --client crm --at ${time} --map id=key --map title=what --ignore x odd.csv`
    expect(await run(options)).toEqual({
      code: 0,
      out: summary('6 applied, 0 duplicate, 0 stale, 0 rejected'),
      err: '',
    })
    const base = { priority: 0, notes: null, list_id: null }
    const expected = fields.map((title, n) => ({
      ...{ table: 'todos', op: 'put', id: `k${n}`, at, by: 'crm' },
      row: { ...base, title, done: n % 2 === 0, amount: n === 3 ? null : n / 2 },
    }))
    expect(await rowsOf('odd')).toEqual(expected)
    expect(await run(options)).toMatchObject({ code: 0, out: summary('0 applied, 6 duplicate, 0 stale, 0 rejected') })
    expect(existsSync(path('odd.csv.import.json')) || existsSync(path('odd.csv.rejected.ndjson'))).toBe(false)
  })

  it('P12 writes what was rejected to a file, from which it can be mended and imported', async () => {
    const lines = [
      'id;title;priority',
      'a;one;1',
      'b;two;high',
      'c;"th;ree";',
      'd;four',
      '"e',
      ';"six',
      'six";6',
      'f;seven;7',
    ]
    await writeFile(path('bad.csv'), lines.join('\n'))
    const options = `--table todos --scope bad --delimiter ; --at ${time}`
    const { code, out, err } = await run(`${options} bad.csv`)
    expect([code, out]).toEqual([2, summary('3 applied, 0 duplicate, 0 stale, 4 rejected')])
    expect(err).toBe(
      `Line 3: invalid_value. todos.priority must be an integer between -(2^53 - 1) and 2^53 - 1.
Line 5: invalid_change. The record has 2 fields, and the header 3. A field that holds ";" or a line break stands in quotes.
Line 6: invalid_change. The quotes of the record that begins here are broken: a field in quotes ends with a quote before the next delimiter, and holds its own quotes twice.
Line 7: invalid_id. "id" must be text of 1 to 128 characters without control characters.
4 rejected: all of them, with what is wrong, are in bad.csv.rejected.ndjson
In bad.csv.rejected.csv they are as they came, to be mended and imported with the same options.
`,
    )
    const file = await readFile(path('bad.csv.rejected.ndjson'), 'utf8')
    const rejected = file.trimEnd().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one way
    expect(rejected.map(({ line, error, text }) => [line, error.code, text])).toEqual([
      [3, 'invalid_value', 'b;two;high'],
      [5, 'invalid_change', 'd;four'],
      [6, 'invalid_change', '"e'],
      [7, 'invalid_id', ';"six\nsix";6'],
    ])
    expect(await readFile(path('bad.csv.rejected.csv'), 'utf8')).toBe(
      'id;title;priority\r\nb;two;high\r\nd;four\r\n"e\r\n;"six\nsix";6\r\n',
    )
    const mended = [lines[0], 'b;two;2', 'd;four;4', rejected[3].text.replace(/^/, 'e')].join('\n')
    expect(await run(`${options} --format csv -`, mended)).toMatchObject({ code: 0 })
    expect((await rowsOf('bad')).map(({ id }) => id).join('')).toBe('abcdef')

    await writeFile(path('bad.csv'), 'id;title\na;one\n')
    expect(await run(`${options} bad.csv`)).toMatchObject({ code: 0, err: '' })
    expect(existsSync(path('bad.csv.rejected.ndjson')) || existsSync(path('bad.csv.rejected.csv'))).toBe(false)
  })

  it('P5 takes NDJSON: changes as they are pulled, of any scopes, and rows with a stamp for all; also gzip and a pipe', async () => {
    const changes = [
      { scope: 'n1', table: 'todos', op: 'put', id: 'a', at, by: 'phone', position: 7, row: { title: 'one' } },
      { scope: 'n2', table: 'lists', op: 'put', id: 'b', at, by: 'tablet', position: 8, row: { name: 'two' } },
      { scope: 'n1', table: 'todos', op: 'patch', id: 'a', at: at + 1, by: 'phone', row: { done: true } },
      { op: 'delete', table: 'todos', id: 'c', at },
    ]
    const text = changes.map((change) => `${JSON.stringify(change)}\n`).join('')
    await writeFile(path('export.ndjson.gz'), gzipSync(text))
    expect(await run('--scope n3 export.ndjson.gz')).toMatchObject({ code: 0, out: summary('4 applied, .*') })
    expect(await run('--scope n3 --format ndjson -', text)).toMatchObject({
      out: summary('0 applied, 3 duplicate, 1 stale.*'),
    })
    expect(await rowsOf('n1')).toMatchObject([{ id: 'a', at: at + 1, by: 'phone', row: { title: 'one', done: true } }])
    expect(await rowsOf('n2')).toMatchObject([{ id: 'b', at, by: 'tablet', row: { name: 'two' } }])

    expect(await run('--table todos --scope n3 --at now --format ndjson -', text)).toMatchObject({
      code: 2,
      err: expect.stringContaining('Leave it out where the lines are changes.'),
    })

    const rows = '{"id":"1","title":"one"}\n\n{"id":"2","title":2}\n{"id":"3"\n'
    const before = Date.now() * 1000
    const ran = await run('--table todos --scope n4 --at now --rejected out.ndjson --format ndjson -', rows)
    expect(ran).toMatchObject({ code: 2, out: summary('1 applied, 0 duplicate, 0 stale, 2 rejected') })
    expect((await readFile(path('out.ndjson'), 'utf8')).split('\n').map((line) => line && JSON.parse(line))).toEqual([
      { line: 3, error: { code: 'invalid_value', detail: 'todos.title must be text.' }, text: '{"id":"2","title":2}' },
      {
        line: 4,
        error: { code: 'invalid_change', detail: expect.stringMatching(/ends too early/) },
        text: '{"id":"3"',
      },
      '',
    ])
    const [row] = await rowsOf('n4')
    expect(row).toMatchObject({ id: '1', by: 'import' })
    expect(row?.at).toBeGreaterThanOrEqual(before)
  })

  it('P12 finds the one broken line among 20,000, and one of 10 MB', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) =>
      n === 12_344
        ? '{"id":"x", "title":}'
        : n === 15_000
          ? `{"id":"${'x'.repeat(10 << 20)}"}`
          : `{"id":"${n}","title":"t"}`,
    )
    await writeFile(path('one.ndjson'), lines.join('\n'))
    const { code, out, err } = await run('--table todos --scope one --at now one.ndjson')
    expect([code, out]).toEqual([
      2,
      expect.stringMatching(/ 19998 applied, .* 2 rejected|19,998 applied, .* 2 rejected/),
    ])
    expect(err).toMatch(
      /^Line 12345: invalid_change\. The line must be JSON: the error is at character 19\.\nLine 15001: too_large\. /,
    )
  })
})

describe('npx driftline import', () => {
  let opened: TestStore
  let folder: string
  let drop: () => Promise<void>
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
    ;({ folder, drop } = await temporaryFolder())
    for (const file of ['ok.csv', 'ok.csv.gz', 'ok.txt', 'ok.ndjson'])
      await writeFile(join(folder, file), 'id,title\n1,one\n')
    for (const file of ['empty.csv', 'empty.ndjson']) await writeFile(join(folder, file), '')
    for (const file of ['array.json', 'array.csv']) await writeFile(join(folder, file), '[\n {"id": "1"}\n]\n')
    await writeFile(join(folder, 'sheet.csv'), Buffer.from('PK\x03\x04\x14\0', 'latin1'))
    await writeFile(join(folder, 'packed.csv'), gzipSync('id,title\n1,one\n'))
    const many = (row: string) => row.repeat(5_000)
    const [umlaut, ok] = [Buffer.from([0xfc, 10]), many('1,one\n')]
    await writeFile(join(folder, 'late.csv'), Buffer.concat([Buffer.from(`id,title\n${ok}2,`), umlaut]))
    await writeFile(join(folder, 'late.ndjson'), Buffer.concat([Buffer.from(many('{"id":"1","title":"x"}\n')), umlaut]))
    await writeFile(join(folder, 'mixed.csv'), `id;title;amount\n${many('1;one;1.234\n')}2;two;89,90\n`)
  })
  afterAll(async () => {
    await opened.close()
    await drop()
  })

  it.each([
    ['', /^Say what and where to: npx driftline import /],
    ['none.csv --table todos --scope a', 'There is no file none.csv.\n'],
    ['. --format csv --table todos --scope a', '. is a folder. Name a file in it.\n'],
    ['ok.csv --table todos', 'Say whose rows they are: --scope alice\n'],
    ['ok.csv --scope a', 'Say what the rows are: --table with one of lists, todos\n'],
    ['ok.csv --scope a --table todo', '"table" must be one of lists, todos.\n'],
    ['ok.csv --scope a --table todos --client a/b', /^"client" must be 1 to 64 of the characters /],
    ['ok.csv --scope a\u0007 --table todos', /^--scope must be text of 1 to 128 characters/],
    ['ok.csv --scope a --table todos --at 5', /^"at" lies before the year 2000/],
    ['ok.csv --scope a --table todos --at 2199-01-01T00:00:00Z', /^"at" lies more than 300 seconds ahead/],
    ['ok.csv --scope a --table todos --at soon', /^--at must be microseconds since 1970, a time such as /],
    ['ok.csv --scope a --table todos --at now --at-column at', 'Say --at or --at-column, not both\n'],
    ['ok.csv --scope a --table todos --map title', 'Write --map column=header\n'],
    ['ok.csv --scope a --table todos --delimiter ,,', /^--delimiter must be one character/],
    ['ok.csv --scope a --table todos --resume', /^There is nothing to go on with: no ok\.csv\.import\.json\. /],
    ['ok.csv --scope a --table todos --rejected ok.csv', /^ok\.csv is there already, and holds no rejected lines\. /],
    [
      'ok.csv --scope a --table lists',
      /^lists has no column for the header "title"\. It has id, name\. Write --map column=title /,
    ],
    ['ok.txt', /^The name ok\.txt does not say what the file holds: --format csv, or /],
    ['ok.ndjson --delimiter ;', '--delimiter is for CSV. Where that is what comes, write --format csv\n'],
    ['ok.ndjson --map id=key --scope a', 'Say what the rows are: --table with one of lists, todos\n'],
    ['ok.ndjson --from sqlite --table todos', 'Say whose rows they are: --scope alice\n'],
    [
      'ok.ndjson --from oracle --table todos --scope a',
      /^--from must be one of json, sqlite, mongo, couchdb, firestore\n$/,
    ],
    ['ok.csv --from json --format csv --table todos --scope a', '--from json is for JSON: leave out --format csv\n'],
    ['ok.csv --scope a --scope-column b --table todos', 'Say --scope or --scope-column, not both\n'],
    ['ok.csv --scope a --table todos --decimal ;', '--decimal must be , or .\n'],
    ['ok.csv --scope a --table todos --decimal , --group ,', '--decimal and --group cannot both be ,\n'],
    ['ok.csv --scope a --table todos --group x', /^--group must be one of /],
    ['ok.csv --scope a --table todos --true x --false X', '--true x and --false x cannot both be\n'],
    ['ok.csv --scope a --table todos --encoding cp850', /^--encoding cp850 is none that is known here\. /],
    ['ok.csv --scope a --table todos --check --resume', /^--check begins at the start and stores nothing/],
    ['empty.ndjson --scope a --table todos --at now', 'empty.ndjson is empty: there is nothing to import.\n'],
    ['empty.csv --scope a --table todos', /^The file is empty\. A CSV file begins with a line of headers\.\n$/],
    ['sheet.csv --scope a --table todos', /^sheet\.csv is a zip archive, as \.xlsx and \.ods are: /],
    ['packed.csv --scope a --table todos', /^packed\.csv is gzip\. Give it a name that ends in \.gz/],
    ['array.json --scope a --table todos --at now', /^array\.json is a JSON array, .*--from json .*jq -c '\.\[\]'/],
    ['array.csv --scope a --table todos', /^array\.csv is JSON, not CSV: /],
    [
      'late.csv --scope a --table todos',
      /^late\.csv is not UTF-8: line 5002, byte \d+ of the file, .* --encoding windows-1252 /,
    ],
    ['late.ndjson --scope a --table todos --at now', /^late\.ndjson is not UTF-8: line 5001, byte /],
    [
      'mixed.csv --scope a --table todos --delimiter ;',
      /^The numbers of todos\.amount could mean either: line 2 .* line 5002 /,
    ],
    ['ok.csv.gz --scope a --table todos', 'ok.csv.gz is no gzip, or is damaged (Z_DATA_ERROR).\n'],
    ['- --table todos', /^Say what comes on standard input: --format csv, or /],
    ['- --format ndjson --resume', 'Standard input cannot be gone on with: give a file\n'],
    ['ok.csv --tabel todos', /^Unknown option '--tabel'\. The options are --table …, /],
  ])('says in one sentence what is wrong with %j, and leaves nothing behind', async (args, message) => {
    const words = args === '' ? [] : args.split(' ')
    expect(await runHere('import', words, { DATABASE_URL: opened.url }, { cwd: folder })).toEqual({
      ...{ code: 1, out: '' },
      err: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    expect(existsSync(join(folder, 'ok.csv.import.json'))).toBe(false)
    const { changes } = await sampleSync(opened.store).pull(principal('a'))
    expect(changes).toEqual([])
  })

  it('wants a database that is migrated', async () => {
    const file = join(folder, 'a.csv')
    await writeFile(file, 'id,title\n1,one\n')
    for (const DATABASE_URL of [`file:${join(folder, 'a.db')}`, await createDatabase()]) {
      const { code, err } = await runHere('import', ['--table', 'todos', '--scope', 'a', file], { DATABASE_URL })
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/ is not ready\. The table driftline_scopes is missing: run npx driftline migrate\.\n$/),
      ])
      expect(err).not.toContain('postgres@')
    }
  })

  it('goes without COPY where the role may make no temporary table', async () => {
    const url = new URL(await createDatabase())
    await runHere('migrate', [], { DATABASE_URL: url.href })
    const role = `plain_${url.pathname.slice(1)}`
    const owner = new pg.Client({ connectionString: url.href })
    await owner.connect()
    await owner.query(`REVOKE TEMPORARY ON DATABASE "${url.pathname.slice(1)}" FROM PUBLIC`)
    await owner.query(`CREATE ROLE "${role}" LOGIN`)
    await owner.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO "${role}"`)
    await owner.end()
    url.username = role
    const file = join(folder, 'plain.csv')
    await writeFile(file, `id,title\n${Array.from({ length: 5_000 }, (_, n) => `${n},title\n`).join('')}`)
    for (const counts of ['5,000 applied, 0 duplicate', '0 applied, 5,000 duplicate']) {
      const words = ['--table', 'todos', '--scope', 'a', '--at', time, file]
      const { out, err } = await runHere('import', words, { DATABASE_URL: url.href })
      expect([err, out]).toEqual(['', expect.stringContaining(`${counts}, 0 stale, 0 rejected.`)])
    }
  })

  it('takes the lines of many scopes, each into its own file or to its shard', async () => {
    const lines = Array.from({ length: 60 }, (_, n) => ({
      ...{ scope: `s${n % 6}`, table: 'todos', op: 'put', id: `${n}`, at, row: { title: `${n}` } },
    }))
    const file = join(folder, 'a.ndjson')
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
    for (const DATABASE_URL of [
      `file:${join(folder, '{scope}.db')}`,
      `${await createDatabase()} ${await createDatabase()}`,
    ]) {
      if (!DATABASE_URL.startsWith('file:')) await runHere('migrate', [], { DATABASE_URL })
      for (const counts of ['60 applied, 0 duplicate', '0 applied, 60 duplicate']) {
        const { out, err } = await runHere('import', [file], { DATABASE_URL })
        expect([err, out]).toEqual(['', expect.stringContaining(`${counts}, 0 stale, 0 rejected.`)])
      }
    }
    expect(['s0', 's5'].map((scope) => existsSync(join(folder, `${scope}.db`)))).toEqual([true, true])
  })
})
