/**
 * Checks the checker: `npm run mutants` puts each bug of mutants.ts into a copy of the sources and
 * runs the model over it, and where it has one its race test. Exits with 1 where a bug is not
 * noticed, or where the unharmed copy fails.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ModelStoreName, modelStores } from '../model/stores.ts'
import { recordRun } from '../promises/record.ts'
import type { Edit, Mutant, Race } from './mutant.ts'
import { mutants } from './mutants.ts'

const { values } = parseArgs({
  options: {
    /** A part of the names of mutants. */
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    /** Runs of the model before a mutant is held to have survived it. */
    runs: { type: 'string', default: '200' },
    /** How many are tried side by side. */
    atonce: { type: 'string', default: '2' },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})

const atOnce = Number(values.atonce)
const root = new URL('../../..', import.meta.url).pathname
const copied = ['src', 'test', 'migrations', 'package.json', 'tsconfig.json', 'vitest.config.ts']

interface Outcome {
  readonly code: number | null
  readonly output: string
}

interface Report {
  readonly name: string
  readonly caught: string | undefined
  readonly seconds: number
}

async function copyWith(edits: readonly Edit[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-mutant-'))
  for (const part of copied) await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, search, replace } of edits) {
    const text = await readFile(join(folder, file), 'utf8')
    const found = text.split(search).length - 1
    if (found !== 1) throw new TypeError(`${file} holds ${found} times, and not once: ${search}`)
    await writeFile(
      join(folder, file),
      text.replace(search, () => replace),
    )
  }
  return folder
}

function run(folder: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

/**
 * The model's first words on what is wrong; undefined where it found nothing. Any other end is a
 * fault of the run.
 */
async function runModel(folder: string, store: ModelStoreName, runs: string): Promise<string | undefined> {
  const args = ['--store', store, '--runs', runs, '--seed', values.seed, '--brief']
  const { code, output } = await run(folder, ['test/programs/model/soak.ts', ...args])
  if (code === 0) return undefined
  if (!output.includes('The model of')) throw new Error(`The model did not run:\n${output}`)
  return `the model on ${store}: ${/^.*Error: (.*)$/m.exec(output)?.[1] ?? 'it failed'}`
}

async function runRace(folder: string, { file, title, why }: Race): Promise<string | undefined> {
  const only = title === undefined ? [] : ['-t', title]
  const { code, output } = await run(folder, ['node_modules/vitest/vitest.mjs', 'run', file, ...only])
  if (code === 0) return undefined
  if (!/Tests .*failed/.test(output)) throw new Error(`${file} did not run:\n${output}`)
  return `${file} (${why})`
}

async function judge({ name, store, edits, race }: Mutant): Promise<Report> {
  const began = performance.now()
  const folder = await copyWith(edits)
  try {
    // Where only a race can tell, the model is run briefly: it would say so if it could.
    const model = race?.alone ? undefined : await runModel(folder, store, race ? '40' : values.runs)
    const caught = model ?? (race && (await runRace(folder, race)))
    return { name, caught, seconds: (performance.now() - began) / 1000 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const chosen = mutants.filter(({ name }) => name.includes(values.only))
const reports: Report[] = []
const waiting = [...chosen]
const print = ({ name, caught, seconds }: Report) =>
  console.log(`| ${name} | ${caught ?? 'SURVIVED'} | ${seconds.toFixed(1)} s |`)

console.log('| mutant | caught by | after |\n|---|---|---|')
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const report = await judge(mutant)
      reports.push(report)
      print(report)
    }
  }),
)

// What always fails catches everything.
const unharmed = await copyWith([])
const stores = modelStores.filter((name) => chosen.some(({ store, race }) => store === name && !race?.alone))
const alarms: string[] = []
for (const store of stores) alarms.push((await runModel(unharmed, store, '40')) ?? '')
await rm(unharmed, { recursive: true, force: true })
const falseAlarm = alarms.find(Boolean)
if (falseAlarm) console.log(`\nThe unharmed sources fail too: ${falseAlarm}`)
const survived = reports.filter(({ caught }) => caught === undefined)
console.log(`\n${reports.length - survived.length} of ${reports.length} mutants were caught.`)
if (survived.length > 0 || falseAlarm) process.exitCode = 1
if (values.record && values.only === '') {
  const figures = { mutants: reports.length, caught: reports.length - survived.length }
  await recordRun('npm run mutants', figures)
}
