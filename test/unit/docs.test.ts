import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { problems, rejectionCodes } from '../../src/model/errors.ts'
import { limits } from '../../src/model/limits.ts'
import { runHere } from '../support/run-here.ts'

const root = new URL('../../', import.meta.url)
const read = (file: string) => readFile(new URL(file, root), 'utf8')
const isThere = (path: string) => existsSync(new URL(path, root))

const docs = (await readdir(new URL('docs/', root)))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs.sort()]
const pages = new Map(await Promise.all(files.map(async (file) => [file, await read(file)] as const)))
const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }

/** What is no code: neither the indented blocks nor what stands between backticks. */
const prose = (page: string) => page.replace(/^ {4}.*$/gm, '').replace(/`[^`\n]*`/g, '')

/** The anchors of a page as a Git host makes them of its headings. */
function anchors(page: string): Set<string> {
  const slugs = [...page.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  expect(slugs, 'two headings of one page have the same anchor').toHaveLength(new Set(slugs).size)
  return new Set(slugs)
}

describe.each([...pages])('%s', (file, page) => {
  it('has one heading of its own, and links only to what is there', () => {
    expect(page.match(/^# .+$/gm)).toHaveLength(1)
    const links = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter((one) => !/^https?:\/\//.test(one))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? file : posix.join(posix.dirname(file), path)
      expect(isThere(target), link).toBe(true)
      if (anchor !== undefined) expect([...anchors(pages.get(target) ?? '')], link).toContain(anchor)
    }
  })

  it('names only commands, scripts and paths that are there', () => {
    for (const [, name = ''] of page.matchAll(/\bnpx driftline ([a-z][\w-]*)/g))
      expect(Object.keys(commands)).toContain(name)
    for (const [, name = ''] of page.matchAll(/\bnpm run (?:-\S+ )*([a-z][\w:-]*)/g))
      expect(Object.keys(scripts)).toContain(name)
    // The table of promises names its tests within `test/`. What is built is not there in a clone.
    for (const [, path = ''] of page.matchAll(/(?<![\w./-])((?:src|test|migrations|\.ci)\/[\w./-]*\w)/g))
      expect(isThere(path), path).toBe(true)
  })

  it('gives commands only options that they have', async () => {
    for (const [, name = '', words = ''] of page.matchAll(/\bnpx driftline ([a-z]+)( [^`\n]*)?/g)) {
      const options = [...words.matchAll(/(?<=\s)--([a-z-]+)/g)].map(([, option = '']) => option)
      if (options.length === 0 || name === 'dev') continue
      const { out } = await runHere(name, ['--help'], {})
      for (const option of options) expect(out, `${name} --${option}`).toMatch(new RegExp(`^  --${option}( |$)`, 'm'))
    }
  })

  it('names no path of a machine', () => {
    expect(page).not.toMatch(/\/(home|root|tmp|Users|work)\//)
  })
})

it('README.md is a front door: 12 KB at the most', () => {
  expect(Buffer.byteLength(pages.get('README.md') ?? '')).toBeLessThanOrEqual(12 * 1024)
})

it('the index and the front door lead to every page', () => {
  const linked = (file: string, from: string) =>
    new Set([...(pages.get(file) ?? '').matchAll(/\]\(([^)#]+\.md)/g)].map(([, link = '']) => posix.join(from, link)))
  for (const page of docs.filter((one) => one !== 'docs/README.md')) {
    expect([...linked('docs/README.md', 'docs')]).toContain(page)
    expect([...linked('README.md', '.')]).toContain(page)
  }
})

it('docs/start.md has each command, with what it does', () => {
  const page = pages.get('docs/start.md') ?? ''
  for (const [name, [does]] of Object.entries(commands))
    expect(page).toContain(`| \`npx driftline ${name}\` | ${does.replace('’', "'")}`)
})

it('docs/wire.md has every code of a fault, beside its status, and of a rejection', () => {
  const lines = (pages.get('docs/wire.md') ?? '').split('\n')
  for (const [code, { status }] of Object.entries(problems))
    expect(lines.some((line) => line.startsWith('| ') && line.includes(String(status)) && line.includes(`\`${code}\``)), code).toBe(true) // biome-ignore format: one line
  const rejected = lines.slice(lines.indexOf('## Rejected changes'), lines.indexOf('## Compressed bodies')).join(' ')
  for (const code of rejectionCodes) expect(rejected).toContain(`\`${code}\``)
})

describe('docs/limits.md', () => {
  const page = pages.get('docs/limits.md') ?? ''
  const [, settings = '', table = ''] = page.split(/^## (?:Settings|Limits)$/m)
  const named = new Set([...settings.split('\n## ')[0]!.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name))

  it('has every setting that is read, and no other', async () => {
    const sources = ['src/runtime/settings.ts', 'src/runtime/auth-settings.ts', 'src/stores/database-url.ts']
    const text = (await Promise.all(sources.map(read))).join('\n')
    const used = [
      ...text.matchAll(
        /\benv\.([A-Z][A-Z_]+)|(?:\(env, |\binteger\(|\boptional\()'([A-Z_]+)'|\b(AUTH_[A-Z_]+): \w|^ {6}'([A-Z_]+)',$/gm,
      ),
    ]
    const isSet = new Set(used.map(([, ...names]) => names.find((name) => name !== undefined)))
    isSet.delete('NODE_ENV')
    const rows = new Set(
      [...settings.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z][A-Z_]+/g) ?? []),
    )
    expect([...rows].sort()).toEqual([...isSet].sort())
    for (const name of isSet) expect(named).toContain(name)
  })

  const s = (ms: number) => `${ms / 1_000} s`
  const mib = (bytes: number) => `${bytes / 1024 / 1024} MiB`
  const count = (value: number) => value.toLocaleString('en')
  it.each([
    ['bytes of a body', mib(limits.bodyBytesMax)],
    ['changes of a change set', count(limits.changesMax)],
    ['bytes of a change', mib(limits.changeBytesMax)],
    ['changes of a `sub`', `${count(limits.changesPerMinuteMax)} `],
    ['changes of a `sub`', `${count(limits.unseenDeletesPerHourMax)} `],
    ['rows of a page', `1 to ${count(limits.pageRowsMax)}, ${count(limits.pageRowsDefault)} by default`],
    ['bytes of a page', mib(limits.pageBytesMax)],
    ['bytes of the rows', mib(limits.answerBytesMax)],
    ['lines of an import', count(limits.importLinesMax)],
    ['what a compressed import', `${limits.importInflationMax} times`],
    ['rejected lines', count(limits.importRejectedMax)],
    ['a body that stands still', s(limits.bodyIdleMsMax)],
    ['an idle connection', s(limits.keepAliveMs)],
    ['characters of an id', String(limits.idLengthMax)],
    ['keys of an issuer', `${limits.keysKeptMsMax / 3_600_000} h`],
    ["a client's name", `{1,${limits.clientLengthMax}}`],
    ['the id of a webhook', `${limits.inboxMs / 86_400_000} days`],
    ['adds to counters', `${limits.addsMs / 86_400_000} days`],
    ['levels of a `json`', String(limits.jsonDepthMax)],
    ['tries to find out', `${limits.refusalTriesMax}, ${limits.refusalBatchesMax}, ${s(limits.refusalMsMax)}`],
    ['digits of a `decimal`', count(limits.decimalDigitsMax)],
    ['one database round trip', s(limits.databaseMsMax)],
    ['databases held open', String(limits.databasesOpenMax)],
    ['scopes whose shard', count(limits.homesMax)],
    ['streams of a `sub`', `${limits.streamsMax} (429), ${s(limits.streamIdleMsMax)}`],
    ['`/health`', s(limits.healthMsMax)],
    ['live connections', `${limits.liveSocketsMax} (429; a setting), ${limits.liveScopesMax} (400)`],
    ['a message to a socket', `1 KiB (1009), ${limits.liveBufferedBytesMax / 1024} KiB`],
    ['endpoints of webhooks out', String(limits.endpointsMax)],
    ['one delivery', `${s(limits.deliveryMsMax)}, ${count(limits.deliveryRowsMax)} rows`],
    ['tables, columns', `${limits.tablesMax}, ${limits.columnsMax}`],
  ])('says the limit of %s: %s', (what, value) => {
    const row = table.split('\n').find((line) => line.startsWith(`| ${what}`))
    expect(row).toContain(value)
  })
})
