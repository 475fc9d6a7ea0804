import { afterEach, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Clock, makeClock } from '../support/clock.ts'
import { listenByEvents } from '../support/live.ts'
import { until } from '../support/pushing.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'
import { signedHeaders, webhookSecret } from '../support/webhook.ts'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const driftMsMax = 5 * minute

describe.each(['libsql file', 'postgres'])("steps of the server's clock on %s", (name) => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function serve(): Promise<{ server: ServerProcess; clock: Clock }> {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    const clock = makeClock(folder)
    const server = await startServer({
      ...clock.env,
      DATABASE_URL: name === 'postgres' ? await createDatabase() : `file:${folder}/a.db`,
      WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }),
    })
    cleanups.push(() => server.stop('SIGKILL'))
    return { server, clock }
  }
  /** Of a principal whose token outlives every step. */
  const asAlice = async () => ({
    Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice', seconds: (400 * day) / 1000 })}`,
  })
  const steps = [minute, 0, -minute, hour, -hour, 30 * day, 0, -30 * day, 365 * day, -2 * day, 0]

  it('P1 P2 P3 P4 P5 P10 P13 decide nothing but clock_ahead: no position, cursor or verdict depends on it', async () => {
    const { server, clock } = await serve()
    const headers = await asAlice()
    const wrong: string[] = []
    const applied = new Set<string>()
    const refused = new Set<string>()
    let going = true
    let rounds = 0

    async function push(body: { changes: readonly { id: string }[] }, before: number): Promise<void> {
      const { status, text, json } = await server.request('POST', '/v1/push', { headers, body })
      if (status !== 200) return void wrong.push(`${status} ${text}`)
      const offsets = [before, clock.offsetMs]
      const isBehind = (offset: number) => offset < -driftMsMax
      for (const [n, { verdict, error }] of json.verdicts.entries()) {
        const id = body.changes[n]?.id ?? ''
        const said = error?.code ?? verdict
        if (said === 'clock_ahead' && offsets.some(isBehind)) refused.add(id)
        else if (said === (applied.has(id) ? 'duplicate' : 'applied') && !offsets.every(isBehind)) applied.add(id)
        else wrong.push(`${id}: ${said} at ${offsets}`)
      }
    }
    async function write(writer: string): Promise<void> {
      for (let n = 0; going; n++, rounds++) {
        const ids = Array.from({ length: 5 }, (_, k) => `${writer}-${n}-${k}`)
        const changes = ids.map((id) => ({ table: 'todos', op: 'put', id, at: Date.now() * 1000, row: { title: id } }))
        const body = { client: writer, changes, return: 'lost' }
        const before = clock.offsetMs
        await push(body, before)
        // What is sent again changes nothing, whatever the time is by now; what was refused is
        // taken once it can be.
        await push(body, before)
      }
    }
    /** A phone that pulls all the time: what it holds in the end must be what is there. */
    const held = new Set<string>()
    async function follow(isOver: () => boolean): Promise<void> {
      let cursor = ''
      let last = 0
      for (let isLast = false, more = true; !isLast || more; ) {
        isLast = isOver()
        const answer = await server.request('GET', `/v1/pull?limit=50${cursor}`, { headers })
        if (answer.status !== 200) return void wrong.push(`pull: ${answer.status} ${answer.text}`)
        for (const { id, position } of answer.json.changes) {
          if (position <= last) wrong.push(`position ${position} after ${last}`)
          last = position
          held.add(id)
        }
        cursor = `&cursor=${answer.json.cursor}`
        more = answer.json.more
      }
    }

    const writers = ['a', 'b', 'c'].map(write)
    let written = false
    const phone = follow(() => written)
    const nows: number[] = []
    for (const offset of steps) {
      clock.step(offset)
      const enough = rounds + 4
      await until(() => rounds >= enough)
      nows.push((await server.request('GET', '/v1/pull?limit=1', { headers })).json.now / 1000 - Date.now() - offset)
    }
    going = false
    await Promise.all(writers)
    written = true
    await phone
    expect(wrong.slice(0, 10)).toEqual([])
    // The clock was truly stepped.
    for (const off of nows) expect(Math.abs(off)).toBeLessThan(5_000)
    expect(applied.size).toBeGreaterThan(50)
    expect(refused.size).toBeGreaterThan(10)
    expect([...applied].filter((id) => !held.has(id))).toEqual([])
    expect([...refused].filter((id) => held.has(id) && !applied.has(id))).toEqual([])
    expect(server.output()).not.toContain('"level":"error"')
  })

  it('P11 P14 P15 tokens, webhooks and streams go by it, and are as before once it is right again', async () => {
    const { server, clock } = await serve()
    const headers = await asAlice()
    const stream = await listenByEvents(server.url, { sub: 'alice', seconds: (400 * day) / 1000 })
    cleanups.push(() => stream.close())
    const short = await listenByEvents(server.url, { sub: 'alice', seconds: 3_600 })
    const hook = async () => {
      const body = JSON.stringify({
        scope: 'alice',
        changes: [{ table: 'todos', op: 'put', id: 'h', row: { title: 'h' } }],
      })
      const { status, json } = await server.request('POST', '/v1/webhooks/crm', {
        body,
        headers: signedHeaders(body, 'one'),
      })
      return status === 200 ? json.verdicts : status
    }
    const first = await hook()
    const pull = async () => (await server.request('GET', '/v1/pull')).status
    for (const offset of steps) {
      clock.step(offset)
      const isNear = Math.abs(offset) < driftMsMax
      expect(await hook(), String(offset)).toEqual(isNear ? first : 401)
      // A day is how long this token holds.
      expect(await pull(), String(offset)).toBe(offset < day ? 200 : 401)
    }
    clock.step(2 * hour)
    expect(await short.closed).toMatchObject({ code: 4401 })
    clock.step(0)
    const body = {
      client: 'a',
      changes: [{ table: 'todos', op: 'put', id: 'x', at: Date.now() * 1000, row: { title: 'x' } }],
    }
    expect((await server.request('POST', '/v1/push', { headers, body })).json.verdicts[0].verdict).toBe('applied')
    // The webhook has taken effect once.
    await stream.reached('alice', 2)
    expect(stream.pokes.at(-1)).toEqual({ scope: 'alice', position: 2 })
  })
})
