import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binaryOf } from '../support/elsewhere.ts'
import { filesInManual } from '../support/manual-code.ts'
import { buildPackage } from '../support/package.ts'
import { createDatabase } from '../support/stores.ts'
import { temporaryFolder } from '../support/temporary.ts'

const run = promisify(execFile)
const root = process.cwd()
const resolve = createRequire(import.meta.url).resolve
const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' }

let folder: string
let drop: () => Promise<void>
let tarball: string
const children: ChildProcess[] = []
beforeAll(async () => {
  ;({ folder, drop } = await temporaryFolder())
  const { stdout } = await run('npm', ['pack', '--silent', await buildPackage()], { cwd: folder, env })
  tarball = join(folder, stdout.trim())
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill()
})
afterAll(() => drop())

/** An empty project with the package, and what else it wants, installed by npm. */
async function project(name: string, packages: readonly string[], files: Readonly<Record<string, string>> = {}) {
  const home = join(folder, name)
  await mkdir(home)
  await writeFile(join(home, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
  for (const [file, text] of Object.entries(files)) await writeFile(join(home, file), text)
  const { dependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  const exact = packages.map((one) => `${one}@${dependencies[one]}`)
  await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...exact], {
    cwd: home,
    env,
  })
  return home
}

/** `npx driftline` of that project, by this Node. */
const driftline = (home: string, args: readonly string[], more: object = {}) =>
  run(process.execPath, ['node_modules/driftline/cli/main.js', ...args], { cwd: home, env: { ...env, ...more } })

/** Starts a program and waits for what it prints. */
async function start(home: string, args: readonly string[], until: RegExp): Promise<RegExpExecArray> {
  const child = spawn(process.execPath, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let output = ''
  return new Promise((found, fail) => {
    const take = (text: Buffer) => {
      output += text
      const match = until.exec(output)
      if (match) found(match)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('exit', () => fail(new Error(`It ended: ${output}`)))
  })
}

/** Pushes a todo and pulls it again, as two phones do. */
async function syncs(url: string, token: string, by = 'phone-1'): Promise<unknown> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const change = { table: 'todos', op: 'put', id: '1', at: Date.now() * 1000, row: { title: 'Buy milk' } }
  const body = JSON.stringify({ client: by, cursor: null, changes: [change] })
  const pushed = await fetch(`${url}/v1/sync`, { method: 'POST', headers, body })
  expect(await pushed.json()).toMatchObject({ verdicts: [{ verdict: 'applied', action: 'inserted' }] })
  const pulled = (await (await fetch(`${url}/v1/pull`, { headers })).json()) as { changes: { row: unknown }[] }
  return pulled.changes.map(({ row }) => row)
}
/** The manual, a script that it asks for, and the reference, from wherever they are mounted. */
async function pages(url: string): Promise<number[]> {
  const manual = await fetch(`${url}/docs`)
  const [, script = ''] = /<script src="(.*?)"/.exec(await manual.text()) ?? []
  const others = [new URL(script, manual.url), `${url}/reference`].map((one) => fetch(one))
  return [manual, ...(await Promise.all(others))].map(({ status }) => status)
}
const stored = [{ title: 'Buy milk', done: false }]

/** Types as strict as they can be, of all files. */
const tsconfig = JSON.stringify({
  compilerOptions: {
    ...{ target: 'ES2024', module: 'NodeNext', strict: true, noEmit: true, types: ['node'] },
    ...{ allowImportingTsExtensions: true, skipLibCheck: true, typeRoots: [join(root, 'node_modules/@types')] },
  },
  include: ['backend.ts', 'todos.ts', 'wrong.ts', 'my-store.test.ts', 'wrapping.test.ts'],
})

describe('the packed package, installed by npm into an empty project', () => {
  it('brings no driver and no binary of Node with it, and says which driver is missing', async () => {
    const home = await project('bare', [])
    const { stdout } = await run('npm', ['ls', '--all', '--parseable'], { cwd: home, env })
    expect(stdout).not.toMatch(/node_modules\/(pg|libsql|@libsql|@neondatabase|wrangler|node-)/)
    await expect(driftline(home, ['migrate'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^There is no driftline\.config\.ts in .*: npx driftline init writes one\n$/),
    })
    await driftline(home, ['init'])
    await expect(driftline(home, ['migrate'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/needs its driver: npm install libsql\n$/),
    })
    expect((await driftline(home, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('is a server after npx driftline init and npx driftline start, without a build', async () => {
    const home = await project('server', ['libsql'])
    expect((await driftline(home, ['init'])).stdout).toMatch(/^Wrote driftline\.config\.ts\n/)
    await expect(driftline(home, ['init'])).rejects.toMatchObject({
      stderr: expect.stringMatching(/^driftline\.config\.ts is there already/),
    })
    const args = ['node_modules/driftline/cli/main.js', 'start', '--port', '0']
    const [, url = '', token = ''] = await start(home, args, /listens on (http:\S+)[\s\S]*another\):\n(\S+)\n/)
    expect(await syncs(url, token)).toEqual(stored)
    expect(await pages(url)).toEqual([200, 200, 200])
  })

  it('begins without a table by npx driftline init --empty, which takes the sample away too, but nothing edited', async () => {
    const home = await project('empty', ['libsql'])
    await driftline(home, ['init'])
    const config = join(home, 'driftline.config.ts')
    const sample = await readFile(config, 'utf8')
    await writeFile(config, `${sample}// mine\n`)
    await expect(driftline(home, ['init', '--empty'])).rejects.toMatchObject({
      stderr: expect.stringMatching(/somebody has edited driftline\.config\.ts/),
    })
    await writeFile(config, sample)
    expect((await driftline(home, ['init', '--empty'])).stdout).toMatch(/^Took the sample's tables out of driftline/)
    const taken = await readFile(config, 'utf8')
    const other = await project('empty-at-once', ['libsql'])
    expect((await driftline(other, ['init', '--empty'])).stdout).toMatch(/Write your tables in driftline\.config\.ts/)
    expect(await readFile(join(other, 'driftline.config.ts'), 'utf8')).toBe(taken)
    expect((await driftline(other, ['migrate'])).stdout).toBe('Applied driftline/0001_tables, driftline/0002_adds\n')
    const text = '{ todos: { title: text(), done: boolean({ default: false }) } }'
    const own = taken
      .replace('{ defineConfig', '{ boolean, text, defineConfig')
      .replace('defineSchema({})', `defineSchema(${text})`)
    await writeFile(join(other, 'driftline.config.ts'), own)
    await driftline(other, ['generate', '--name', 'todos'])
    const args = ['node_modules/driftline/cli/main.js', 'start', '--port', '0']
    const [, url = '', token = ''] = await start(other, args, /listens on (http:\S+)[\s\S]*another\):\n(\S+)\n/)
    expect(await syncs(url, token)).toEqual(stored)
  })

  it('is a server of a project that is no module, and in JavaScript', async () => {
    const home = await project('plain', ['libsql'])
    await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'plain', type: 'commonjs' }))
    expect((await driftline(home, ['init', '--javascript'])).stdout).toMatch(/^Wrote driftline\.config\.mjs\n/)
    const args = ['node_modules/driftline/cli/main.js', 'start', '--port', '0']
    const [, url = '', token = ''] = await start(home, args, /listens on (http:\S+)[\s\S]*another\):\n(\S+)\n/)
    expect(await syncs(url, token)).toEqual(stored)
  })

  it('is a worker, mounted under a path of an app of one’s own, in wrangler dev and deploy --dry-run', async () => {
    const home = await project('worker', ['hono'], {
      'worker.ts': `import { Hono } from 'hono'
import { createWorker, createScopeObject, openObjects } from 'driftline/workers'
import { schema } from './driftline.config.ts'
import migrations from './migrations/sqlite.json' with { type: 'json' }

export { LiveObject } from 'driftline/workers'
export class ScopeObject extends createScopeObject({ schema, migrations }) {}

const sync = createWorker({ schema, openStore: openObjects })
const app = new Hono()
app.get('/hello', (context) => context.text('hello'))
app.mount('/api/sync', (request, env, context) => sync.fetch(request, env as never, context as never))
export default { fetch: app.fetch, scheduled: sync.scheduled }
`,
    })
    expect((await driftline(home, ['init', '--workers'])).stdout).toContain('Left worker.ts as it is')
    const bundle = [join('node_modules', 'driftline', 'cli', 'main.js'), 'bundle'].join(' ')
    const toml = await readFile(join(home, 'wrangler.toml'), 'utf8')
    await writeFile(join(home, 'wrangler.toml'), toml.replace('npx driftline bundle', `node ${bundle.replace(' bundle', '')} bundle`)) // biome-ignore format: one line
    const secret = 'x'.repeat(32)
    await writeFile(join(home, '.dev.vars'), `AUTH_SECRET=${secret}\n`)
    const wrangler = join(resolve('wrangler/package.json'), '../bin/wrangler.js')
    const { stdout } = await run(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', 'out'], {
      cwd: home,
      env: { ...env, CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
    })
    expect(stdout).toMatch(/Total Upload/)
    const args = [wrangler, 'dev', '--ip', '127.0.0.1', '--port', '0', '--show-interactive-dev-session=false']
    const [, url = ''] = await start(home, args, /Ready on (http:\S+)/)
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
    const { stdout: token } = await driftline(home, ['token', '--sub', 'alice'], { AUTH_SECRET: secret })
    expect(await syncs(`${url}/api/sync`, token.trim())).toEqual(stored)
    expect(await pages(`${url}/api/sync`)).toEqual([200, 200, 200])
  })

  it('is a library of a backend that syncs with Postgres by createSync, and its types hold', async () => {
    const { 'todos.ts': mapping = '' } = filesInManual('bulk.md')
    const home = await project('backend', ['pg'], {
      'todos.ts': mapping,
      'wrong.ts': mapping.replace(
        'title: subject',
        '// @ts-expect-error The table has no such column.\n titel: subject',
      ),
      'tasks.csv': 'uid,subject,status,owner\n1,Call,open,bob\n2,,open,bob\n3,Gone,deleted,bob\n',
      'backend.ts': `import { createSync, type Principal } from 'driftline'
import { postgresStore } from 'driftline/stores/postgres'
import { schema } from './driftline.config.ts'

const store = postgresStore(process.env.DATABASE_URL ?? '')
const sync = createSync({ schema, store })
const alice: Principal = { subject: 'alice', scopes: new Map([['alice', 'write']]) }
const at = Date.now() * 1000
const pushed = await sync.push(alice, { client: 'backend', changes: [{ table: 'todos', op: 'put', id: '1', at, row: { title: 'Buy milk' } }] })
const { changes } = await sync.pull(alice)
const [first] = changes
// @ts-expect-error The table has no such column.
if (first?.op === 'put') first.row.nothing
console.log(JSON.stringify([pushed.verdicts.map(({ verdict }) => verdict), first?.op === 'put' && first.row.title]))
await store.close()
`,
      'tsconfig.json': tsconfig,
    })
    await driftline(home, ['init'])
    const DATABASE_URL = await createDatabase()
    expect((await driftline(home, ['migrate'], { DATABASE_URL })).stdout).toBe(
      'Applied driftline/0001_tables, driftline/0002_adds, 0001_init\n',
    )
    await run(process.execPath, [resolve('typescript/bin/tsc'), '-p', home])
    const { stdout } = await run(process.execPath, ['backend.ts'], { cwd: home, env: { ...env, DATABASE_URL } })
    expect(JSON.parse(stdout)).toEqual([['applied'], 'Buy milk'])
    await expect(
      driftline(home, ['import', '--table', 'todos', '--map-with', './todos.ts', 'tasks.csv'], { DATABASE_URL }),
    ).rejects.toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/: 1 applied, 0 duplicate, 0 stale, 1 rejected, 1 passed over\.\n$/),
      stderr: expect.stringMatching(/^Line 3: invalid_change\. The mapping threw TypeError: no subject\.\n/),
    })
  })

  it('holds a store of one’s own, and one that wraps another, to its promises by node:test', async () => {
    const wrapping = (batch: string) => `import { after, test } from 'node:test'
import type { Statement } from 'driftline/stores/own'
import { libsqlFileStore } from 'driftline/stores/libsql-file'
import { createTestClock, storeSuite } from 'driftline/testing'

createTestClock().step(1)
const { checks, close } = storeSuite(async () => {
  const store = await libsqlFileStore('file:data/' + Date.now() + '.db')
  return { store: { ...store, batch: async (scope: string, statements: readonly Statement[]) => ${batch} } }
})
for (const { title, run } of checks) test(title, run)
after(close)
`
    const { 'my-store.ts': store = '', 'my-store.test.ts': test = '' } = filesInManual('deploy.md')
    const home = await project('stores', ['libsql'], {
      'tsconfig.json': tsconfig,
      'my-store.ts': store,
      'my-store.test.ts': test,
      'wrapping.test.ts': wrapping('store.batch(scope, statements)'),
      'bun.test.ts': wrapping('store.batch(scope, statements)')
        .replaceAll('after', 'afterAll')
        .replace('node:test', 'bun:test'),
      'reversed.ts': wrapping('(await store.batch(scope, statements)).reverse()'),
    })
    await run(process.execPath, [resolve('typescript/bin/tsc'), '-p', home])
    const nodeTest = (file: string) =>
      run(process.execPath, ['--test', '--test-reporter=tap', file], { cwd: home, env, maxBuffer: 1e9 })
    for (const file of ['my-store.test.ts', 'wrapping.test.ts']) {
      const { stdout } = await nodeTest(file)
      expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]), stdout).toBeGreaterThan(50)
      expect(stdout).toMatch(/^# fail 0$/m)
    }
    const bun = binaryOf('Bun')
    if (bun !== undefined) await run(bun, ['test', 'bun.test.ts', '-t', 'P5'], { cwd: home, env })
    const { stdout } = await nodeTest('reversed.ts').catch((error: { stdout: string }) => error)
    expect(stdout).toMatch(/^not ok \d+ - gives the rows of each statement in its place/m)
  })
})
