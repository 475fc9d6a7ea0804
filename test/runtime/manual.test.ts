import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  byColumn,
  counter,
  createApp,
  createSync,
  defineSchema,
  integer,
  type Principal,
  text,
} from '../../src/index.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Block, blocks, commandsOf } from '../support/manual.ts'
import { filesInManual } from '../support/manual-code.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, temporaryFolder } from '../support/stores.ts'

const root = process.cwd()

/**
 * The commands that are not run here: the file that runs them, or why nothing can. All others are
 * run as they stand in the manual, by a shell.
 */
const elsewhere: Readonly<Record<string, string>> = {
  'npm install': 'made what this test runs in',
  'npm ci': 'made what this test runs in',
  'npm start': 'test/support/server.ts',
  'npm ci && npm start': 'test/support/server.ts',
  'npm ci && npm run dev': 'test/support/dev.ts',
  'npx driftline init': 'test/runtime/package.test.ts',
  'npx driftline start': 'test/runtime/package.test.ts',
  'npm install ./driftline-0.1.0.tgz libsql': 'test/runtime/package.test.ts',
  'bunx --bun driftline init': 'test/runtime/package.test.ts, by npx',
  'bunx --bun driftline start': 'test/runtime/elsewhere.test.ts',
  'deno run -A npm:driftline init': 'test/runtime/package.test.ts, by npx',
  'deno run -A npm:driftline start': 'test/runtime/elsewhere.test.ts',
  'npx driftline generate --name adopt-tasks': 'test/runtime/adopt.test.ts',
  'npx driftline reconcile --table tasks': 'test/runtime/adopt.test.ts',
  'npm ci && npm test': '.ci/run',
  'npm run test:quick': 'a part of npm test',
  'npm run test:outside': '.ci/run',
  'npm run lint && npm run typecheck': '.ci/run',
  'npx wrangler login': 'needs an account at Cloudflare',
  'openssl rand -base64 48 | npx wrangler secret put AUTH_SECRET': 'needs an account at Cloudflare',
  'npx wrangler deploy': 'needs an account at Cloudflare; test/runtime/package.test.ts does it --dry-run',
  'npx wrangler secret put DATABASE_URL': 'needs an account at Cloudflare',
  'npx wrangler secret put DATABASE_AUTH_TOKEN': 'needs an account at Cloudflare',
  'npx wrangler d1 create driftline': 'needs an account at Cloudflare',
  'npx wrangler d1 execute driftline --remote --command "UPDATE driftline_scopes SET incarnation = lower(hex(randomblob(8)))"':
    'needs an account at Cloudflare',
  "DATABASE_URL='postgres://…neon.tech/…' npx driftline migrate": 'needs an account at Neon',
  "DATABASE_URL='libsql://…turso.io' DATABASE_AUTH_TOKEN='…' npx driftline migrate": 'needs an account at Turso',
  'npx wscat -c ws://127.0.0.1:8787/v1/live -H "Authorization: Bearer $TOKEN"':
    'needs a package of its own; test/runtime/live.test.ts opens the same socket',
}

/** What is left to be run, or to be compared with an answer, taken away by the tests below. */
const left = new Set(blocks.flatMap((block) => (block.kind === 'commands' ? commandsOf(block) : [])))
for (const command of Object.keys(elsewhere)) left.delete(command)
/** A file of Vercel's own, which answers nothing. */
const isSetting = ({ text }: Block) => text.startsWith('{ "rewrites"')
const unanswered = new Set(blocks.filter((block) => block.kind === 'answer' && !isSetting(block)))

/** The command of this text, or the only one that begins so. */
function command(start: string): string {
  const [found, ...others] = left.has(start) ? [start] : [...left].filter((one) => one.startsWith(start))
  if (found === undefined || others.length > 0) throw new Error(`The manual has not one command ${start}`)
  left.delete(found)
  return found
}

/** The only answer of a page that begins so. */
function answer(page: string, start: string): string {
  const [found, ...others] = [...unanswered].filter((one: Block) => one.page === page && one.text.startsWith(start))
  if (!found || others.length > 0) throw new Error(`${page} has not one block ${start}`)
  unanswered.delete(found)
  return found.text
}

/** JSON without what differs each time: times, cursors, the ids of requests. */
const settled = (text: string): unknown =>
  JSON.parse(text.slice(text.indexOf('{')), (name, value) =>
    ['now', 'cursor', 'request_id', 'timestamp', 'expires_at'].includes(name) ? typeof value : value,
  )

/** The members of JSON in which … stands for what is left out. */
const members = (line: string) => {
  try {
    return Object.keys(JSON.parse(line.replaceAll('{…}', '{}').replaceAll('[…]', '[]')))
  } catch (error) {
    throw new TypeError(`This is no JSON: ${line}`, { cause: error })
  }
}

const keys = (value: unknown) => Object.keys(value as object).sort()

describe('the manual', () => {
  let folder: string
  let drop = async () => {}
  let env: Record<string, string>
  let port = 0
  let receiverPort = 0
  const started: ChildProcess[] = []

  beforeAll(async () => {
    ;({ folder, drop } = await temporaryFolder())
    ;[port, receiverPort] = [await freePort(), await freePort()]
    const project = join(root, 'test/support/project')
    const config = pathToFileURL(join(project, 'driftline.config.ts')).href
    await writeFile(join(folder, 'driftline.config.mjs'), `export { default } from ${JSON.stringify(config)}\n`)
    await cp(join(project, 'migrations'), join(folder, 'migrations'), { recursive: true })
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    // npx itself takes a second to find what is beside it.
    const bin = join(folder, 'bin')
    await mkdir(bin)
    const npx = `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"\n`
    await writeFile(join(bin, 'npx'), npx, { mode: 0o755 })
    env = {
      PATH: [bin, process.env.PATH].join(delimiter),
      AUTH_SECRET: testSecret,
      DATABASE_URL: `file:${folder}/dev.db`,
      TOKEN: await signToken(testSecret, { sub: 'alice' }),
      PORT: String(port),
    }
  })
  afterAll(async () => {
    for (const child of started) child.kill()
    await drop()
  })

  const here = (text: string) =>
    text.replaceAll('127.0.0.1:8787', `127.0.0.1:${port}`).replaceAll('8899', String(receiverPort))

  /** What a shell gives for a command of the manual, on both outputs. Fails where it fails. */
  const run = (text: string, more = '', cwd = folder) =>
    new Promise<string>((resolve, reject) => {
      execFile(
        'sh',
        ['-c', here(text) + more],
        { cwd, env: cwd === folder ? env : process.env, maxBuffer: 1e8 },
        (error, out, err) => (error ? reject(new Error(`${text}: ${out}${err}`)) : resolve(out + err)),
      )
    })

  /** Starts one that goes on, and waits for what it prints. */
  async function start(text: string, until: RegExp, more: Record<string, string> = {}) {
    const child = spawn('sh', ['-c', `exec ${here(text).replace(/^(\w+=('[^']*'|\S+) )+/, 'env $&')}`], {
      cwd: folder,
      env: { ...env, ...more },
    })
    started.push(child)
    let output = ''
    const prints = (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(output)
          if (found) resolve(found)
        }
        for (const stream of [child.stdout, child.stderr]) stream.on('data', () => setImmediate(look))
        child.on('exit', () => reject(new Error(`${text} ended: ${output}`)))
        look()
      })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
    await prints(until)
    return { prints, stop: () => child.kill() }
  }

  let server: Awaited<ReturnType<typeof start>>

  it('the first request of the front door is answered as it shows, logged and told as the manual does', async () => {
    const receiver = await start(command('npx driftline receive'), /Receives on/)
    server = await start(command('WEBHOOK_ALLOW_PRIVATE='), /listens on/, { LOG: 'json' })
    const shown = answer('README.md', '{"now"')
    expect(settled(await run(command('curl -sS http://127.0.0.1:8787/v1/sync')))).toEqual(settled(shown))

    const log = JSON.parse(answer('docs/operate.md', '{"time"').replaceAll('\n', ' '))
    const [line = ''] = await server.prints(/^\{"time".*"route":"\/v1\/sync".*\}$/m)
    expect(keys(JSON.parse(line))).toEqual(keys(log))
    expect(JSON.parse(line)).toMatchObject({ scope_hash: log.scope_hash, rejected: log.rejected })

    const [, event = ''] = /^msg_\S+ (.*)$/.exec(answer('docs/webhooks.md', 'msg_')) ?? []
    const [, told = ''] = await receiver.prints(/^msg_\S+ (\{.*\})$/m)
    expect(keys(JSON.parse(told))).toEqual(members(event).sort())
    const data = JSON.parse(event.replace('[…]', '[]')).data
    const one = JSON.parse(told).data
    expect([keys(one), { ...one, changes: [], to: 1 }]).toEqual([keys(data), data])

    expect(await run(command('npx driftline deliveries'))).toMatch(/\S/)
    expect(await run(command('npx driftline deliveries --resend crm'))).toMatch(/\S/)
    receiver.stop()
  })

  it('a system of record is answered as the manual shows', async () => {
    const other = await freePort()
    const second = await start(
      command('WEBHOOK_SECRETS=\'{"crm":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfbDVOI"}\' npx driftline start'),
      /listens on/,
      { PORT: String(other) },
    )
    const answered = await run(command('WEBHOOK_SECRETS='), ` --url http://127.0.0.1:${other}`)
    const shown = answer('docs/webhooks.md', '200 OK')
    expect([answered.split('\n')[0], settled(answered)]).toEqual([shown.split('\n')[0], settled(shown)])
    second.stop()
  })

  it('towns are made, imported, streamed and exported', async () => {
    await run(command('node -e'))
    const towns = (await readFile(join(folder, 'towns.ndjson'), 'utf8')).split('\n')
    const shown = answer('docs/bulk.md', '171,075 rows')
    expect(shown).toContain(`${(towns.length - 1).toLocaleString('en')} rows`)
    await writeFile(join(folder, 'towns.ndjson'), `${towns.slice(0, 2_000).join('\n')}\n`)
    await run(command('npx driftline migrate'))
    const printed = await run(command('npx driftline import --table todos --scope alice --at now'))
    const words = (text: string) => text.replace(/\d[\d,.]*\d|\d/g, '#').trim()
    expect(words(printed.split('\n').find((line) => line.includes(' rows in ')) ?? '')).toBe(words(shown))

    const streams = [command('curl -N http://127.0.0.1:8787/v1/pull'), command('curl -N --compressed')]
    const lines = answer('docs/wire.md', '{"rows"')
      .split('\n')
      .filter((line) => line !== '…')
    const forms = new Set(lines.map((line) => members(line).join()))
    for (const stream of streams) {
      const rows = (await run(stream, ' -sS')).trim().split('\n')
      expect(new Set(rows.map((row) => members(row).join()))).toEqual(forms)
      expect(JSON.parse(rows[0] ?? '')).toMatchObject({
        rows: rows.length - 1 - rows.filter((row) => row.startsWith('{"cursor"')).length,
      })
    }
    expect(await run(command('npx driftline export'))).toBe('Exported 2002 rows to alice.ndjson.gz.\n')
    // It ends with the connection, which stays open: curl says so by 28.
    const events = await run(
      command('curl -N http://127.0.0.1:8787/v1/live'),
      " -sS --max-time 1 -w '%{http_code}' || test $? = 28",
    )
    expect(events).toMatch(/200/)
  })

  it('records of a file become rows by the function that the manual shows', async () => {
    await writeFile(join(folder, 'todos.ts'), filesInManual('bulk.md')['todos.ts'] ?? '')
    const records = ['1,Call,completed', '2,Write,open', '3,,open', '4,Gone,deleted', '5,Read,open']
    await writeFile(join(folder, 'tasks.csv'), `uid,subject,status,owner\n${records.map((one) => `${one},bob\n`).join('')}`)
    const printed = await run(command('npx driftline import --table todos --map-with'), ' || test $? = 2')
    const counts = (text: string) => text.replace(/in .* a second/, '')
    expect(counts(printed)).toContain(counts(answer('docs/bulk.md', '4 rows')))
    expect(printed).toContain('Line 4: invalid_change. The mapping threw TypeError: no subject.\n')
  }) // biome-ignore format: a long line

  it('the tables are generated and a database is kept', async () => {
    expect(await run(command('npx driftline generate'))).toMatch(/nothing to do/)
    for (const one of ['npx driftline prune', 'npx driftline prune --retention 0d', 'npx driftline restored'])
      expect(await run(command(one))).toMatch(/\S/)
    server.stop()
  })

  it('the wire is as the manual shows it: a sync with every verdict, and a fault', async () => {
    const file = `file:${folder}/wire.db`
    const wire = await start('npx driftline start', /listens on/, {
      DATABASE_URL: file,
      LOG: 'off',
      PORT: String(await freePort()),
    })
    const [, url = ''] = await wire.prints(/listens on (\S+)/)
    const headers = { Authorization: `Bearer ${env.TOKEN}`, 'Content-Type': 'application/json' }
    const post = async (body: string) => fetch(`${url}/v1/sync`, { method: 'POST', headers, body })
    const [request, shown, fault] = [
      answer('docs/wire.md', 'POST /v1/sync'),
      answer('docs/wire.md', '200'),
      answer('docs/wire.md', 'HTTP/1.1 400'),
    ]
    // What the answer says was there before, and who had written it.
    const put = (id: string, at: number, row: object) => ({ table: 'todos', op: 'put', id, at, row })
    const before = [
      put('t1', 1_795_243_100_000_000, { title: 'Buy milk', priority: 1 }),
      put('t2', 1_795_243_205_000_000, { title: 'Call Ada' }),
    ]
    await post(JSON.stringify({ client: 'tablet', changes: before }))
    const answered = await post(request.slice(request.indexOf('{')))
    expect([answered.status, settled(await answered.text())]).toEqual([Number(/^\d+/.exec(shown)?.[0]), settled(shown)])
    const refused = await fetch(`${url}/v1/pull?cursor=none`, { headers })
    expect([`HTTP/1.1 ${refused.status} ${refused.statusText}`, settled(await refused.text())]).toEqual([
      fault.split('\n')[0],
      settled(fault),
    ])
    wire.stop()
  })

  it('columns that merge are pushed and answered as the manual shows', async () => {
    const schema = defineSchema({
      products: byColumn({ name: text(), price: integer({ nullable: true }), stock: counter() }),
    })
    expect(await readFile('docs/wire.md', 'utf8')).toContain(
      'byColumn({ name: text(), price: integer({ nullable: true }), stock: counter() })',
    )
    const { store, close } = await openTestStore('libsql file', schema)
    const app = createApp({ schema, store, auth: { secret: testSecret } })
    const headers = { Authorization: `Bearer ${env.TOKEN}`, 'Content-Type': 'application/json' }
    const post = async (body: string) => (await app.request('/v1/push', { method: 'POST', headers, body })).text()
    // What the answer says was there before, and who had written it.
    const change = (op: string, id: string, at: number, row: object) => ({ table: 'products', op, id, at, row })
    const before = [
      change('put', 'p3', 1_795_243_100_000_000, { name: 'Oats' }),
      change('patch', 'p3', 1_795_243_105_000_000, { name: 'Rice' }),
      ...['p4', 'p5'].map((id) => change('put', id, 1_795_243_100_000_000, { name: id })),
    ]
    await post(JSON.stringify({ client: 'tablet', changes: before }))
    const request = answer('docs/wire.md', 'POST /v1/push')
    expect(settled(await post(request.slice(request.indexOf('{'))))).toEqual(
      settled(answer('docs/wire.md', '{"now":1795243200412000,\n')),
    )
    const token = await signToken(testSecret, { sub: 'alice', scopes: [{ id: 'news', access: 'read' }] })
    const me = await app.request('/v1/me', { headers: { Authorization: `Bearer ${token}` } })
    expect(settled(await me.text())).toEqual(settled(answer('docs/wire.md', '{"now":1795243200412000,"subject"')))
    await close()
  })

  it('a constraint with words of its own is rejected as the manual shows', async () => {
    const [code = ''] = blocks.filter(({ text }) => text.includes('lists_name: ')).map(({ text }) => text)
    const [, tables = ''] = /defineSchema\((.*)\)/s.exec(code) ?? []
    const schema = defineSchema(
      { lists: { name: text() } },
      { messages: { lists_name: 'A list of that name exists.' } },
    )
    expect(code, 'what is tested is what the manual says').toContain(tables)
    const { store, close } = await openTestStore('libsql file')
    await store.batch('', [{ sql: 'CREATE UNIQUE INDEX lists_name ON lists (scope, name)', params: [] }])
    const sync = createSync({ schema, store })
    const changes = ['1', '2'].map(
      (id) => ({ table: 'lists', op: 'put', id, at: Date.now() * 1_000, row: { name: 'Home' } }) as const,
    )
    const alice: Principal = { subject: 'alice', scopes: new Map([['alice', 'write']]) }
    const { verdicts } = await sync.push(alice, { client: 'phone-1', changes })
    expect(verdicts[1]).toMatchObject({ error: JSON.parse(answer('docs/schema.md', '{"code"')) })
    await close()
  })

  it('the demo ends with both phones and the server the same', async () => {
    const ends = run(command('npm run demo'), '', root)
    expect(await ends).toMatch(/Both phones and the server hold the same [\d,]+ rows, byte for byte\.\n$/)
  })

  it('every command of the manual is run, by this test or another, and every answer in it is one', async () => {
    expect([...left]).toEqual([])
    expect([...unanswered].map(({ page, text }) => `${page}: ${text}`)).toEqual([])
    const all = blocks.flatMap((block) => (block.kind === 'commands' ? commandsOf(block) : []))
    for (const [text, how] of Object.entries(elsewhere)) {
      expect(all).toContain(text)
      const [file] = how.match(/(test|\.ci)\/[\w/.-]+/) ?? []
      if (file) expect(existsSync(file), file).toBe(true)
    }
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
