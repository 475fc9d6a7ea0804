import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sampleMigrations } from '../support/migrations.ts'
import { startProgram } from '../support/program.ts'
import { temporaryFolder } from '../support/temporary.ts'

const run = promisify(execFile)
const root = process.cwd()

let folder: string
let drop: () => Promise<void>
const stops: (() => void)[] = []
beforeEach(async () => {
  ;({ folder, drop } = await temporaryFolder())
  for (const part of ['src', 'package.json', 'tsconfig.json'])
    await cp(join(root, part), join(folder, part), { recursive: true })
  // Whatever the app of this repository has by now.
  const sample = await readFile(join(root, 'test/support/schema.ts'), 'utf8')
  await writeFile(join(folder, 'src/app/schema.ts'), sample.replaceAll('../../src/', '../'))
  await cp(sampleMigrations, pathToFileURL(join(folder, 'migrations/')), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterEach(async () => {
  for (const stop of stops.splice(0)) stop()
  await drop()
})

const driftline = (...args: string[]) => run(process.execPath, ['src/cli/main.ts', ...args], { cwd: folder })

/**
 * Starts it, pastes the first line of curl that it prints, and gives what it printed and the
 * answer.
 */
async function paste(): Promise<{ output: string; answer: unknown }> {
  const until = /listens on (http:\S+)[\s\S]*?sync -H '(.*?)' -H '(.*?)' -d '(.*?)'[\s\S]*pull /
  const { found, stop } = await startProgram(folder, ['src/cli/main.ts', 'start', '--port', '0'], until)
  stops.push(stop)
  const [output, url = '', token = '', type = '', body = ''] = found
  const headers = Object.fromEntries([token, type].map((line) => line.split(': ') as [string, string]))
  const answer = await (await fetch(`${url}/v1/sync`, { method: 'POST', headers, body })).json()
  stop()
  return { output, answer }
}

describe('npx driftline init --empty in a clone', () => {
  it('takes the sample away; the project starts without tables, and with the first ones', async () => {
    expect((await driftline('init', '--empty')).stdout).toBe(
      "Took the sample's tables out of src/app/schema.ts, and its migrations out of migrations/\nNext: write your tables in src/app/schema.ts, then npx driftline generate --name tables\n",
    )
    expect(await readdir(join(folder, 'migrations/sqlite'))).toEqual([])
    expect(await readFile(join(folder, 'migrations/schema.json'), 'utf8')).toBe('[\n]\n')
    const bundle = JSON.parse(await readFile(join(folder, 'migrations/sqlite.json'), 'utf8'))
    expect(bundle.map(({ name }: { name: string }) => name)).toEqual(['driftline/0001_tables', 'driftline/0002_adds'])
    await driftline('openapi')
    expect(await readFile(join(folder, 'public/openapi.json'), 'utf8')).not.toContain('todos')
    expect((await driftline('init', '--empty')).stdout).toMatch(/has no tables: nothing to do\.\n$/)
    expect((await driftline('generate')).stdout).toMatch(/nothing to do\.\n$/)
    const first = await paste()
    expect(first.output).toMatch(/There are no tables yet: add one to the schema/)
    expect(first.answer).toMatchObject({ verdicts: [], changes: [] })

    const file = join(folder, 'src/app/schema.ts')
    const text = await readFile(file, 'utf8')
    const own = text.replace('defineSchema }', 'defineSchema, text }').replace('({})', '({ birds: { name: text() } })')
    await writeFile(file, own)
    await driftline('generate', '--name', 'tables')
    expect((await driftline('migrate')).stdout).toBe('Applied 0001_tables\n')
    expect((await paste()).answer).toMatchObject({ verdicts: [{ verdict: 'applied', action: 'inserted' }] })
    await expect(driftline('init', '--empty')).rejects.toMatchObject({
      stderr: expect.stringMatching(/^This project is not the sample any more: take its tables out of/),
    })
  })

  it('takes away the sample as this repository has it, whose tables came by several migrations', async () => {
    for (const part of ['src/app/schema.ts', 'migrations'])
      await cp(join(root, part), join(folder, part), { recursive: true, force: true })
    expect((await driftline('init', '--empty')).stdout).toMatch(/^Took the sample's tables out of src\/app\/schema\.ts/)
    expect(await readdir(join(folder, 'migrations/sqlite'))).toEqual([])
  })

  it('leaves a project that has a migration of its own as it is', async () => {
    const file = join(folder, 'migrations/postgres/0002_own.sql')
    await writeFile(file, 'SELECT 1;\n')
    const before = await readFile(join(folder, 'src/app/schema.ts'), 'utf8')
    await expect(driftline('init', '--empty')).rejects.toMatchObject({
      stderr:
        'This project is not the sample any more: migrations/postgres holds more than the migrations of the sample\n',
    })
    expect(await readFile(join(folder, 'src/app/schema.ts'), 'utf8')).toBe(before)
    expect(await readdir(join(folder, 'migrations/sqlite'))).toEqual(['0001_init.sql'])
  })
})
