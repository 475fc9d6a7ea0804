import { spawn } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashScope } from '../../src/observe/facts.ts'
import { openStore } from '../../src/stores/open.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { runHere } from '../support/run-here.ts'
import { type ServerProcess, startServer } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

const put = (id: string) => ({ table: 'todos', op: 'put', id, at: Date.now() * 1000, row: { title: id } })
const soon = { timeout: 20_000, interval: 50 }

describe('outgoing webhooks of npm start', () => {
  const cleanups: (() => unknown)[] = []
  let folder: string
  let receiver: Receiver
  beforeEach(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.folder
    receiver = await startReceiver()
    cleanups.push(temporary.drop, receiver.close)
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  const settings = (more: Record<string, string> = {}): Record<string, string> => ({
    WEBHOOK_ENDPOINTS: JSON.stringify([receiver.endpoint()]),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    ...more,
  })
  async function serve(env: Record<string, string>): Promise<ServerProcess> {
    const server = await startServer(env, folder)
    cleanups.push(() => server.stop('SIGKILL'))
    return server
  }
  async function push(server: ServerProcess, sub: string, id: string) {
    const { json } = await server.request('POST', '/v1/push', { sub, body: { client: 'a', changes: [put(id)] } })
    expect(json.verdicts).toMatchObject([{ verdict: 'applied' }])
  }
  const told = () => receiver.received.map(({ scope, to }) => `${scope} ${to}`)

  it.each(['a file', 'Postgres'])(
    'P2 over %s, a SIGKILL after the commit loses nothing that was acknowledged',
    async (where) => {
      const DATABASE_URL = where === 'a file' ? `file:${folder}/a.db` : await createDatabase()
      await receiver.close()
      const first = await serve(settings({ DATABASE_URL }))
      await push(first, 'alice', '1')
      await push(first, 'alice', '2')
      await first.stop('SIGKILL')
      // The claim of one that died ends half a minute later: here at once.
      const store = await openStore(DATABASE_URL)
      const endClaim = { sql: 'UPDATE driftline_deliveries SET next_at = 0 WHERE position = 1', params: [] }
      await store.batch('alice', [endClaim])
      await receiver.open()
      // Now it is killed while the receiver has the delivery and has not answered.
      receiver.answers(() => 'stall')
      const second = await serve(settings({ DATABASE_URL }))
      await vi.waitFor(() => expect(told()).toEqual(['alice 1']), soon)
      await second.stop('SIGKILL')
      receiver.answers(() => 204)
      await store.batch('alice', [endClaim])
      const third = await serve(settings({ DATABASE_URL }))
      await vi.waitFor(() => expect(told()).toEqual(['alice 1', 'alice 1', 'alice 2']), soon)
      expect(receiver.received[0]?.id).toBe(receiver.received[1]?.id)
      await push(third, 'alice', '3')
      await vi.waitFor(() => expect(told()).toHaveLength(4), soon)
      // Its line goes once its receiver has answered.
      await vi.waitFor(async () => {
        expect((await store.batch('alice', [{ sql: 'SELECT * FROM driftline_deliveries', params: [] }]))[0]).toEqual([])
      }, soon)
      await store.close()
      expect(await third.stop()).toBe(0)
      expect(receiver.forged).toEqual([])
    },
  )

  it('with a file for each scope, sends what another process left, and tries again what fails', async () => {
    const env = settings({ DATABASE_URL: `file:${folder}/{scope}.db` })
    receiver.answers(() => 500)
    const first = await serve(env)
    for (const sub of ['alice', 'bob']) await push(first, sub, '1')
    await vi.waitFor(() => expect(told().toSorted()).toEqual(['alice 1', 'bob 1']), soon)
    const line = await vi.waitFor(() => {
      const [found] = /\{[^\n]*"where":"delivery"[^\n]*\}/.exec(first.output()) ?? []
      return JSON.parse(found ?? '')
    }, soon)
    expect(line).toMatchObject({ endpoint: 'crm', status: 500, error: 'http_500', attempts: 1 })
    expect([await hashScope('alice'), await hashScope('bob')]).toContain(line.scope_hash)
    expect(first.output()).not.toMatch(/whsec|the body of|127\.0\.0\.1:\d+\/hook/)
    await first.stop('SIGKILL')
    receiver.answers(() => 204)
    const second = await serve(env)
    await vi.waitFor(() => expect(told()).toHaveLength(4), soon)
    expect(told().slice(2).toSorted()).toEqual(['alice 1', 'bob 1'])
    expect(await second.stop()).toBe(0)
  })

  it('over shards, sends what each holds, and tries again what fails', async () => {
    const DATABASE_URL = `${await createDatabase()} ${await createDatabase()}`
    receiver.answers(() => (receiver.received.length <= 8 ? 503 : 204))
    const server = await serve(settings({ DATABASE_URL }))
    const subs = Array.from({ length: 8 }, (_, n) => `s${n}`)
    for (const sub of subs) await push(server, sub, '1')
    await vi.waitFor(() => expect(told().slice(8).toSorted()).toEqual(subs.map((sub) => `${sub} 1`)), soon)
    expect(await server.stop()).toBe(0)
  })

  it('stops at once in the middle of a delivery that takes long', async () => {
    const server = await serve(settings({ DATABASE_URL: `file:${folder}/a.db` }))
    receiver.answers(() => 'stall')
    await push(server, 'alice', '1')
    await vi.waitFor(() => expect(told()).toHaveLength(1), soon)
    const began = Date.now()
    expect(await server.stop()).toBe(0)
    expect(Date.now() - began).toBeLessThan(8_000)
  })

  it('npx driftline deliveries lists what waits and why, and enables and resends', async () => {
    const env = settings({ DATABASE_URL: `file:${folder}/a.db` })
    receiver.answers(() => 410)
    const server = await serve(env)
    for (const id of ['1', '2']) await push(server, 'alice', id)
    await vi.waitFor(() => expect(server.output()).toContain('"disabled":true'), soon)
    await push(server, 'alice', '3')
    const { code, out } = await runHere('deliveries', [], env)
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^crm: 3 waiting, the oldest since 20\S+Z, tried 1 times, last error http_410, disabled in 1 scope\n {2}disabled in "alice" since 20\S+Z for http_410\n$/,
      ),
    ])
    receiver.answers(() => 204)
    const resent = await runHere('deliveries', ['--resend', 'crm'], env)
    expect(resent.out).toMatch(/^crm: 3 waiting, the oldest since \S+Z\n$/)
    await vi.waitFor(() => expect(told()).toEqual(['alice 1', 'alice 1', 'alice 2', 'alice 3']), soon)
    await vi.waitFor(async () => expect((await runHere('deliveries', [], env)).out).toBe('Nothing waits.\n'), soon)
    expect(await runHere('deliveries', ['--resend'], env)).toMatchObject({ code: 1 })
  })

  it('refuses a wrong setting with one sentence, and sends to no private host unless it may', async () => {
    const server = await serve(settings({ DATABASE_URL: `file:${folder}/a.db`, WEBHOOK_ALLOW_PRIVATE: '' }))
    expect(await server.stop()).toBe(1)
    expect(server.output()).toMatch(/^WEBHOOK_ENDPOINTS: url must begin with https:\/\/.*\n$/)
    expect(server.output()).not.toMatch(/whsec_M|\/hook/)
    const tables = JSON.stringify([receiver.endpoint({ tables: ['nothing'] })])
    const other = await serve(settings({ DATABASE_URL: `file:${folder}/a.db`, WEBHOOK_ENDPOINTS: tables }))
    expect(await other.stop()).toBe(1)
    expect(other.output()).toMatch(/^The endpoint crm is for the table nothing, which the schema does not have\n$/)
  })

  it('npx driftline receive verifies and prints what npm start sends', async () => {
    const entry = new URL('../../src/cli/main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [entry, 'receive', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanups.push(() => child.kill())
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    const url = await vi.waitFor(() => /http:\S+/.exec(printed)?.[0] ?? Promise.reject(new Error(printed)), soon)
    const readme = 'whsec_ZHJpZnRsaW5lLWV4YW1wbGUtc2VjcmV0LW9ubHk='
    const env = (secret: string) =>
      settings({
        DATABASE_URL: `file:${folder}/a.db`,
        WEBHOOK_ENDPOINTS: JSON.stringify([receiver.endpoint({ url, secret, rows: true })]),
      })
    const server = await serve(env(readme))
    await push(server, 'alice', 'Buy milk')
    await vi.waitFor(() => expect(printed).toMatch(/^msg_\S+ \{"type":"sync\.committed".*"title":"Buy milk"/m), soon)
    await server.stop()
    const forger = await serve(env(receiver.endpoint().secret))
    await push(forger, 'alice', 'Buy wine')
    await vi.waitFor(() => expect(printed).toContain('A request whose signature is not ours, refused'), soon)
    expect(printed).not.toContain('Buy wine')
  })
})
