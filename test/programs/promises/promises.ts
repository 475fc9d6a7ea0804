import { readdir, readFile } from 'node:fs/promises'

/**
 * What is promised, in the words of the table in docs/promises.md. Tests carry these numbers in
 * their titles.
 */
export const promises: Readonly<Record<string, string>> = {
  P1: 'Once all have synced, every client and the server hold the same rows, after any loss, repeat, delay or crash',
  P2: 'An applied change is there, or a greater stamp is',
  P3: 'No pull passes over a row that commits later',
  P4: 'A cursor never goes back',
  P5: 'The same change set again changes no row and no position',
  P6: 'JavaScript, Postgres and SQLite agree on the order of any two stamps',
  P7: 'Both dialects give the same verdicts and the same bytes',
  P8: 'A tombstone reaches every client that held the row, and no older edit revives it',
  P9: 'A cursor below the watermark gets 410 and applies nothing, in a pull and in a push',
  P10: 'No stamp beyond the bound is ever stored',
  P11: 'No byte of a scope reaches a principal without it, not even that it exists',
  P12: 'Every change gets exactly one verdict, in order, and a bad one harms no other',
  P13: 'A passing fault is a 5xx, never a rejection; nothing is half done, and the same request again is safe',
  P14: "A webhook's id takes effect once",
  P15: 'Pokes may be lost, doubled or late',
  P16: 'A restored or swapped database is noticed',
}

const root = new URL('../../', import.meta.url)

/** The checks of the suite of stores, which stand in the sources: the package has them. */
const checks = '../src/testing/checks/'

/** The files whose tests carry a promise in their title, by promise. */
export async function findTests(): Promise<ReadonlyMap<string, readonly string[]>> {
  const tests = (await readdir(root, { recursive: true })).filter(
    (name) => /(\.test|-suite)\.ts$/.test(name) && !name.startsWith('promises'),
  )
  const names = [...tests, ...(await readdir(new URL(checks, root))).map((name) => `${checks}${name}`)].sort()
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(name, root), 'utf8')] as const),
  )
  return new Map(
    Object.keys(promises).map((promise) => {
      const title = new RegExp(`['"\`](P\\d+ )*${promise} `)
      return [promise, texts.filter(([, text]) => title.test(text)).map(([name]) => name)]
    }),
  )
}

/** What a long program did the last time that it ran: its command, and its figures in words. */
export interface LastRun {
  readonly command: string
  readonly date: string
  readonly figures: Readonly<Record<string, number | string>>
}

export const lastRunsFile = new URL('last-runs.json', import.meta.url)

export async function readLastRuns(): Promise<readonly LastRun[]> {
  return JSON.parse(await readFile(lastRunsFile, 'utf8'))
}

/** The section of docs/promises.md, between its two marks. */
export async function promiseSection(): Promise<string> {
  const tests = await findTests()
  const rows = Object.entries(promises).map(
    ([promise, words]) =>
      `| ${promise} | ${words} | ${(tests.get(promise) ?? []).map((name) => `\`${name.replace(/^\.\.\//, '')}\``).join(' ')} |`,
  )
  const runs = (await readLastRuns()).map(({ command, date, figures }) => {
    const list = Object.entries(figures).map(([name, value]) => `${name} ${formatFigure(value)}`)
    return `| \`${command}\` | ${date} | ${list.join(', ')} |`
  })
  return [
    '| | promise | tests that carry its number, in `test/` unless they say where |',
    '|---|---|---|',
    ...rows,
    ...(runs.length > 0 ? ['', '| program | last run | what it did |', '|---|---|---|', ...runs] : []),
  ].join('\n')
}

const formatFigure = (value: number | string) => (typeof value === 'number' ? value.toLocaleString('en') : value)

const marks = ['<!-- written by npm run promises -->', '<!-- end -->'] as const

/** The page with the section as it is now. Throws where its marks are missing. */
export function putSection(page: string, section: string): string {
  const [begin, end] = marks.map((mark) => page.indexOf(mark)) as [number, number]
  if (begin === -1 || end < begin) throw new TypeError(`docs/promises.md must have ${marks.join(' and ')}`)
  return `${page.slice(0, begin + marks[0].length)}\n\n${section}\n\n${page.slice(end)}`
}
