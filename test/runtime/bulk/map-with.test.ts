import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/command.ts'
import { runHere } from '../../support/run-here.ts'
import { noon, principal, sampleSync } from '../../support/sample.ts'
import { dialectStores, openTestStore, type TestStore, temporaryFolder } from '../../support/stores.ts'

describe.each(dialectStores)('npx driftline import --map-with, into %s', (name) => {
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
  const write = (file: string, text: string | Uint8Array) => writeFile(join(folder, file), text)
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  const env = () => ({ DATABASE_URL: opened.url })
  const run = (...words: string[]) => runHere('import', ['--table', 'todos', ...words], env(), { cwd: folder })
  const summary = (counts: string) =>
    expect.stringMatching(new RegExp(`^[\\d,]+ rows in [\\d.]+ s, [\\d,]+ a second: ${counts}\\.\\n$`))
  async function rowsOf(scope: string) {
    const { changes } = await sampleSync(opened.store).pull(principal(scope), { limit: 5000 })
    return changes.map(({ position: _, ...rest }) => rest).sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  const titlesOf = async (scope: string) => (await rowsOf(scope)).map((one) => [one.id, one.op === 'put' && 'title' in one.row ? one.row.title : undefined]) // biome-ignore format: one way

  it('P12 makes the rows of a CSV file; what is rejected keeps its number and its bytes, is mended and imported', async () => {
    const file = 'Nr;Kunde;Ort\r\n1;Müller;Köln\r\n2;;Bonn\r\n3;Weiß;\r\n4;"Groß; ""K"" & Söhne";Köln\r\n5;Strauß\r\n6;Jäger;Nirgends\r\n'
    await write('kunden.csv', Buffer.from(file, 'latin1'))
    await write('kunden.ts', `
      interface Record { readonly Nr: string; readonly Kunde: string; readonly Ort: string }
      export default async function map({ Nr, Kunde, Ort }: Record): Promise<object | null> {
        if (Ort === 'Bonn') return null
        if (Ort === '') throw new Error('no place')
        return { id: \`k-\${Nr}\`, title: Kunde, notes: Ort, done: Ort === 'Köln' }
      }`)
    const words = ['--scope', 'kunden', '--at', String(noon), '--delimiter', ';', '--encoding', 'windows-1252', '--map-with', './kunden.ts']
    expect(await run(...words, 'kunden.csv')).toEqual({
      code: 2,
      out: summary('3 applied, 0 duplicate, 0 stale, 2 rejected, 1 passed over'),
      err: `Line 4: invalid_change. The mapping threw Error: no place.
Line 6: invalid_change. The record has 2 fields, and the header 3. A field that holds ";" or a line break stands in quotes.
2 rejected: all of them, with what is wrong, are in kunden.csv.rejected.ndjson
In kunden.csv.rejected.csv they are as they came, to be mended and imported with the same options.
`,
    })
    const report = (await read('kunden.csv.rejected.ndjson')).trimEnd().split('\n').map((line) => JSON.parse(line))
    expect(report.map(({ line, text }) => [line, text])).toEqual([[4, '3;Weiß;'], [6, '5;Strauß']])
    const rejected = await readFile(join(folder, 'kunden.csv.rejected.csv'))
    expect(rejected.toString('latin1')).toBe('Nr;Kunde;Ort\r\n3;Weiß;\r\n5;Strauß\r\n')
    await write('mended.csv', Buffer.from(rejected.toString('latin1').replace('Weiß;', 'Weiß;Ulm').replace('Strauß', 'Strauß;Ulm'), 'latin1'))
    expect(await run(...words, 'mended.csv')).toMatchObject({ code: 0, err: '' })
    expect(await titlesOf('kunden')).toEqual([['k-1', 'Müller'], ['k-3', 'Weiß'], ['k-4', 'Groß; "K" & Söhne'], ['k-5', 'Strauß'], ['k-6', 'Jäger']])
    expect(await run(...words, 'kunden.csv')).toMatchObject({ out: summary('0 applied, 3 duplicate, 0 stale, 2 rejected, 1 passed over') })
  }) // biome-ignore format: long lines

  it('P11 P12 rows of many scopes, each with its stamp, of lines of JSON; the database refuses one by the number of its line', async () => {
    await write('team.mjs', `export default ({ key, team, ms, text }) => key && { id: key, scope: \`team-\${team}\`, at: ms * 1000, title: text }`)
    const ms = noon / 1000
    const lines = [{ key: 'a', team: 1, ms, text: 'x' }, { key: 'b', team: 2, ms: ms - 5, text: 'y' }, { text: 'none' }, { key: 'c', ms, text: 'z', team: 'x'.repeat(200) }, { key: 'd', team: 1, ms: ms / 1000, text: 'z' }]
    await write('team.ndjson', `${lines.map((line) => JSON.stringify(line)).join('\n')}\nnonsense\n`)
    const { code, out, err } = await run('--map-with', 'team.mjs', 'team.ndjson')
    expect([code, out]).toEqual([2, summary('2 applied, 0 duplicate, 0 stale, 4 rejected, 0 passed over')])
    expect(err).toMatch(/^Line 3: invalid_change\. The mapping gave nothing\. .*\nLine 4: invalid_change\. "scope" must be .*\nLine 5: invalid_stamp\. .* this is in milliseconds\.\nLine 6: invalid_change\. The line must be JSON: /)
    expect(await rowsOf('team-1')).toMatchObject([{ id: 'a', at: noon, by: 'import', row: { title: 'x' } }])
    expect(await rowsOf('team-2')).toMatchObject([{ id: 'b', at: noon - 5000, row: { title: 'y' } }])
    expect((await read('team.ndjson.rejected.lines.ndjson')).split('\n')[1]).toBe(JSON.stringify(lines[3]))
    await write('nobody.ndjson', '{"key":"a"}\n{"key":"b"}\n')
    await write('nobody.mjs', `export default ({ key }) => ({ id: key, title: key })`)
    expect(await run('--map-with', 'nobody.mjs', 'nobody.ndjson')).toMatchObject({ code: 2, err: expect.stringMatching(/\nSay whose rows they are: --scope alice, or a "scope" in what the mapping gives\.\n$/) })
  }) // biome-ignore format: long lines

  it.each([
    ['json', 'rows.json', '[{"key":1,"title":"x"},\n {"key":2,"title":"skip"},{"key":3,"title":""}]'],
    ['json', 'todos.json', '{"todos":{"1":{"key":1,"title":"x"},"2":{"key":2,"title":"skip"},"3":{"key":3,"title":""}}}'],
    ['sqlite', 'sqlite.json', '[{"key":1,"title":"x"},\n{"key":2,"title":"skip"},\n{"key":3,"title":""}]\n'],
    ['couchdb', 'changes.ndjson', '{"results":[\n{"seq":"1","id":"t1","changes":[{"rev":"1-a"}],"doc":{"_id":"t1","key":1,"title":"x"}},\n{"seq":"2","id":"t2","changes":[{"rev":"1-a"}],"doc":{"_id":"t2","key":2,"title":"skip"}},\n{"seq":"3","id":"t3","changes":[{"rev":"1-a"}],"doc":{"_id":"t3","key":3,"title":""}}\n],\n"last_seq":"3","pending":0}\n'],
    ['mongo', 'mongo.ndjson', '{"_id":{"$oid":"65f0c0ffee0000000000aaaa"},"key":{"$numberLong":"1"},"title":"x"}\n{"_id":"b","key":2,"title":"skip"}\n{"_id":"c","key":3,"title":""}\n'],
    ['firestore', 'backup.json', '{"__collections__":{"users":{"u":{}},"todos":{"a":{"key":1,"title":"x"},"b":{"key":2,"title":"skip"},"c":{"key":3,"title":""}}}}'],
  ] as const)('--from %s: %s', async (from, file, text) => {
    await write(file, text)
    await write('keyed.mjs', `export default ({ id, key, title }) => {
      if (title === '') throw new TypeError('no title')
      return title === 'skip' ? null : { id: \`n\${key}\`, title, notes: String(id) }
    }`)
    const ran = await run('--scope', file, '--from', from, '--map-with', './keyed.mjs', file)
    expect(ran).toMatchObject({ code: 2, out: summary('1 applied, 0 duplicate, 0 stale, 1 rejected, 1 passed over') })
    expect(ran.err).toMatch(/^(Line|Element) 3: invalid_change\. The mapping threw TypeError: no title\.\n/)
    expect(await titlesOf(file)).toEqual([['n1', 'x']])
    const kept = (await read(`${file}.rejected.lines.ndjson`)).trimEnd()
    await write('again.ndjson', kept.replace('"title":""', '"title":"mended"'))
    expect(await run('--scope', file, '--from', from, '--map-with', './keyed.mjs', 'again.ndjson')).toMatchObject({ code: 0, err: '' })
    expect(await titlesOf(file)).toEqual([['n1', 'x'], ['n3', 'mended']])
  }) // biome-ignore format: a table

  it('P12 --check asks the mapping and stores nothing; of none, all passed over, all rejected', async () => {
    await write('all.mjs', `export default ({ id, what }) => { if (what === 'throw') throw 'no'; return what === 'null' ? null : { id, title: what } }`)
    const cases = [
      ['id,what\n', 0, '0 applied, 0 duplicate, 0 stale, 0 rejected, 0 passed over', '0 would be sent, 0 rejected, 0 passed over'],
      ['id,what\n1,x\n', 0, '1 applied, 0 duplicate, 0 stale, 0 rejected, 0 passed over', '1 would be sent, 0 rejected, 0 passed over'],
      ['id,what\n1,null\n2,null\n', 0, '0 applied, 0 duplicate, 0 stale, 0 rejected, 2 passed over', '0 would be sent, 0 rejected, 2 passed over'],
      ['id,what\n1,throw\n2,throw\n', 2, '0 applied, 0 duplicate, 0 stale, 2 rejected, 0 passed over', '0 would be sent, 2 rejected, 0 passed over'],
    ] as const
    for (const [n, [text, code, counts, checked]] of cases.entries()) {
      await write(`all${n}.csv`, text)
      const words = ['--scope', `all${n}`, '--map-with', 'all.mjs', `all${n}.csv`]
      expect(await run('--check', ...words)).toMatchObject({ code, out: expect.stringContaining(`: ${checked}. Nothing was stored, `) })
      expect(await rowsOf(`all${n}`)).toEqual([])
      expect(await run(...words)).toMatchObject({ code, out: summary(counts) })
    }
  }) // biome-ignore format: long lines

  it('P5 P12 stopped in the middle goes on with --resume, asks for no line that is done with, and counts each once', async () => {
    const count = 30_000
    await write('long.csv', `n,what\n${Array.from({ length: count }, (_, n) => `${n},row ${n}\n`).join('')}`)
    await write('long.ts', `
      import { appendFileSync } from 'node:fs'
      let asked = 0
      process.on('exit', () => appendFileSync('asked', \`\${asked}\\n\`))
      export default ({ n, what }: { n: string; what: string }): object | null => {
        asked++
        if (process.env.STOP_AT === n) process.kill(process.pid, 'SIGINT')
        if (Number(n) % 1000 === 7) throw new Error('a seventh')
        return Number(n) % 2 === 0 ? null : { id: n, title: what }
      }`)
    const words = ['--table', 'todos', '--scope', 'long', '--map-with', './long.ts', 'long.csv']
    const stopped = await runCli('import', words, { ...env(), STOP_AT: '15000' }, { cwd: folder })
    expect(stopped.code).toBe(130)
    const done = Number(/All lines up to (\d+) are done with\. Go on with: .* --map-with \.\/long\.ts long\.csv --resume\n$/.exec(stopped.err)?.[1])
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(count)
    const state = await read('long.csv.import.json')
    await write('long.csv.import.json', state.replace(/\(([0-9a-f]{16})\)/, '(0123456789abcdef)'))
    expect(await runCli('import', [...words, '--resume'], env(), { cwd: folder })).toMatchObject({ code: 1, err: expect.stringMatching(/^Not the same import .* --map-with: \.\/long\.ts \(0123456789abcdef\) then, /) })
    await write('long.csv.import.json', state)
    const resumed = await runCli('import', [...words, '--resume'], env(), { cwd: folder })
    expect(resumed).toMatchObject({ code: 2, out: expect.stringContaining(': 14,970 applied, 0 duplicate, 0 stale, 30 rejected, 15,000 passed over.') })
    const [, , again] = (await read('asked')).split('\n')
    expect(Number(again)).toBe(count + 1 - done)
    const rejected = (await read('long.csv.rejected.ndjson')).trimEnd().split('\n').map((line) => JSON.parse(line))
    expect(rejected.map(({ line, text }) => [line, text])).toEqual(Array.from({ length: 30 }, (_, n) => [n * 1000 + 9, `${n * 1000 + 7},row ${n * 1000 + 7}`]))
  }) // biome-ignore format: long lines
})

describe('npx driftline import --map-with', () => {
  let folder: string
  let drop: () => Promise<void>
  let url: string
  beforeAll(async () => {
    ;({ folder, drop } = await temporaryFolder())
    url = `file:${folder}/never.db`
    const files = {
      'a.csv': 'id,title\n1,x\n',
      'none.mjs': 'export const map = () => null',
      'number.mjs': 'export default 7',
      'broken.mjs': 'export default (record) => {',
      'throws.mjs': 'throw new Error("at once")',
      'lost.mjs': 'import "./nowhere.mjs"\nexport default () => null',
      'good.mjs': 'export default ({ id, title }) => ({ id, title })',
    }
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
    await mkdir(join(folder, 'folder'))
  })
  afterAll(() => drop())

  it.each([
    ['--map-with ./gone.ts a.csv', 'There is no file ./gone.ts, which --map-with names.\n'],
    ['--map-with folder a.csv', 'folder is a folder. Name the file of the mapping: --map-with ./users.ts\n'],
    ['--map-with none.mjs a.csv', /^The default export of none\.mjs is missing\. It makes the row of a record: /],
    ['--map-with number.mjs a.csv', /^The default export of number\.mjs is no function\. /],
    ['--map-with broken.mjs a.csv', /^broken\.mjs cannot be read: /],
    ['--map-with throws.mjs a.csv', 'throws.mjs cannot be read: at once\n'],
    ['--map-with lost.mjs a.csv', /^lost\.mjs cannot be read: .*nowhere\.mjs/],
    ['--map-with good.mjs --map title=x a.csv', 'Say --map or --map-with, not both: what the mapping gives is the row\n'],
    ['--map-with good.mjs --ignore-others a.csv', /^Say --ignore-others or --map-with, not both/],
    ['--map-with good.mjs --empty-as-text a.csv', /^Say --empty-as-text or --map-with, not both/],
    ['--map-with good.mjs --scope-column owner a.csv', 'The file has no header "owner". It has "id", "title".\n'],
  ])('says in one sentence what is wrong with %j', async (args, message) => {
    const scope = args.includes('--scope-column') ? [] : ['--scope', 'a']
    const words = ['--table', 'todos', '--check', ...scope, ...args.split(' ')]
    expect(await runHere('import', words, { DATABASE_URL: url }, { cwd: folder })).toEqual({
      ...{ code: 1, out: '' },
      err: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    expect(existsSync(join(folder, 'a.csv.rejected.ndjson'))).toBe(false)
  }) // biome-ignore format: a table

  it('ends on Ctrl-C where a row is promised that never comes', async () => {
    await writeFile(join(folder, 'waits.mjs'), `export default () => { setTimeout(() => process.kill(process.pid, 'SIGINT'), 50); setTimeout(() => {}, 500); return new Promise(() => {}) }`)
    const words = ['--table', 'todos', '--check', '--scope', 'a', '--map-with', 'waits.mjs', 'a.csv']
    expect(await runCli('import', words, { DATABASE_URL: url }, { cwd: folder })).toMatchObject({ code: 130 })
  }) // biome-ignore format: long lines
})
