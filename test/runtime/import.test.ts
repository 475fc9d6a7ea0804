import { once } from 'node:events'
import { request as open } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { request, testSecret } from '../support/server.ts'

const places = ['Node with libSQL in a file', 'Node with Postgres', 'workerd with Durable Objects'] as const
const stamp = 1_700_000_000_000_000
const line = (n: number, title = `row ${n}`) =>
  `${JSON.stringify({ table: 'todos', op: 'put', id: `r${n}`, at: stamp, row: { title } })}\n`
const linesOf = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => line(from + n)).join('')
const chunk = limits.importLinesMax

describe.each(places)('an import over HTTP to %s', (name) => {
  let runtime: Runtime
  beforeAll(async () => {
    runtime = await (runtimes[name] as () => Promise<Runtime>)()
  })
  afterAll(() => runtime.close())

  /** An import whose body is written bit by bit, and whose answer is read meanwhile. */
  async function begin(sub: string, query = '') {
    const token = await signToken(testSecret, { sub })
    const sending = open(`${runtime.url}/v1/import${query}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-ndjson' },
    })
    let text = ''
    const heard = { wake: () => {} }
    const ended = new Promise<void>((resolve, reject) => {
      sending.on('error', reject)
      sending.on('response', (answer) => {
        answer.setEncoding('utf8').on('data', (some: string) => {
          text += some
          heard.wake()
        })
        answer.on('end', resolve).on('error', reject)
      })
    })
    ended.catch(() => {})
    const said = async (wanted: (text: string) => boolean) => {
      while (!wanted(text)) await new Promise<void>((resolve) => (heard.wake = resolve))
    }
    return {
      sending,
      ended,
      said,
      answer: () =>
        text
          .trimEnd()
          .split('\n')
          .map((one) => JSON.parse(one)),
    }
  }
  const gzipped = (sub: string, body: Uint8Array) => {
    const headers = { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' }
    return request(runtime.url, 'POST', '/v1/import', { sub, body, headers })
  }
  const countOf = async (sub: string) => {
    const { text } = await request(runtime.url, 'GET', '/v1/pull?limit=5000', {
      sub,
      headers: { Accept: 'application/x-ndjson' },
    })
    return text.match(/"op":"put"/g)?.length ?? 0
  }

  it('P12 names a JSON array as what it is, before anything is taken', async () => {
    const headers = { 'Content-Type': 'application/x-ndjson' }
    for (const body of ['[{"id":"1","title":"x"}]', '\n [\n{"id":"1","title":"x"},\n{"id":"2","title":"y"}\n]\n']) {
      const query = `?table=todos&at=${stamp}`
      const answer = await request(runtime.url, 'POST', `/v1/import${query}`, { sub: 'array', body, headers })
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("a JSON array. Send an object in each line: jq -c '.[]'")]) // biome-ignore format: one line
    }
    expect(await countOf('array')).toBe(0)
  })

  it('P7 takes integer ids as their digits, and 1 and 0 for true and false, in rows', async () => {
    const headers = { 'Content-Type': 'application/x-ndjson' }
    const body = '{"id":1,"title":"x","done":1}\n{"id":2,"title":"y","done":0}\n{"id":3,"title":"z","done":2}\n'
    const { text } = await request(runtime.url, 'POST', `/v1/import?table=todos&at=${stamp}`, { sub: 'ids', body, headers }) // biome-ignore format: one line
    expect(text).toContain('{"lines":3,"applied":2,"duplicate":0,"stale":0,"rejected":1,"done":true}')
    const pulled = await request(runtime.url, 'GET', '/v1/pull', { sub: 'ids' })
    const rows = JSON.parse(pulled.text).changes.map(({ id, row }: { id: string; row: { done: boolean } }) => [id, row.done]) // biome-ignore format: one line
    expect(rows).toEqual([['1', true], ['2', false]]) // biome-ignore format: one line
  })

  it('P12 takes what has come while more is to come, says so, and phones of the same scope are answered meanwhile', async () => {
    const { sending, ended, said, answer } = await begin('early')
    sending.write(linesOf(0, 2 * chunk + 10))
    await said((text) => text.includes(`"lines":${chunk},`))
    const body = { client: 'phone', changes: [{ table: 'todos', op: 'delete', id: 'r0', at: stamp + 1 }] }
    expect((await request(runtime.url, 'POST', '/v1/push', { sub: 'early', body })).json.verdicts).toMatchObject([
      { verdict: 'applied', action: 'deleted' },
    ])
    sending.end('nonsense\n')
    await ended
    expect(answer().at(-1)).toEqual({
      ...{ lines: 2 * chunk + 11, applied: 2 * chunk + 10, duplicate: 0, stale: 0, rejected: 1, done: true },
    })
    expect(answer().filter(({ error }) => error)).toMatchObject([
      { line: 2 * chunk + 11, error: { code: 'invalid_change' } },
    ])
  })

  it('P2 P5 a cut connection leaves whole chunks, and all of it again is harmless', async () => {
    const { sending, said } = await begin('cut')
    sending.write(linesOf(0, 2 * chunk + 500))
    await said((text) => text.includes(`"lines":${chunk},`))
    sending.destroy()
    const whole = await begin('cut')
    whole.sending.end(linesOf(0, 3 * chunk))
    await whole.ended
    const { applied, duplicate, stale, rejected } = whole.answer().at(-1)
    expect([applied + duplicate, stale, rejected]).toEqual([3 * chunk, 0, 0])
    expect(duplicate % chunk).toBe(0)
    expect(duplicate).toBeGreaterThanOrEqual(chunk)
    expect(await countOf('cut')).toBe(3 * chunk)
  })

  it('P12 takes gzip, and rejects alone a broken line and one of 10 MB', async () => {
    const large = line(1, 'x'.repeat(10_000_000))
    const body = `\ufeff${linesOf(0, 9_000)}{"table":\r\n${large}${linesOf(9_000, 12_000)}`
    const { status, text } = await gzipped('zipped', gzipSync(body))
    const answer = text
      .trimEnd()
      .split('\n')
      .map((one) => JSON.parse(one))
    expect(status).toBe(200)
    expect(answer.filter(({ error }) => error).map(({ line: at, error }) => [at, error.code])).toEqual([
      [9001, 'invalid_change'],
      [9002, 'too_large'],
    ])
    expect(answer.at(-1)).toMatchObject({ lines: 12_002, applied: 12_000, rejected: 2, done: true })
    expect(await countOf('zipped')).toBe(12_000)
  })

  it('P13 ends with a problem where the gzip is cut or far larger than it seems, with whole chunks taken', async () => {
    const whole = gzipSync(linesOf(0, 5_000))
    const cut = await gzipped('zip-cut', whole.subarray(0, -2000))
    expect(JSON.parse(cut.text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject(
      cut.status === 200 ? { problem: { code: 'malformed', status: 400 } } : { code: 'malformed' },
    )
    expect((await countOf('zip-cut')) % chunk).toBe(0)
    const bomb = gzipSync(Buffer.alloc(60_000_000, '\n'), { level: 9 })
    expect(bomb.length).toBeLessThan(100_000)
    const answer = await gzipped('bomb', bomb)
    expect([answer.status, answer.json?.code]).toEqual([413, 'body_too_large'])
    expect((await request(runtime.url, 'GET', '/health')).status).toBe(200)
  })

  it('P11 takes no line into a scope that may only be read, or not at all', async () => {
    const scopes = [{ id: 'news', access: 'read' as const }]
    const body = ['news', 'foreign', 'reader'].map((scope, n) => line(n).replace('{', `{"scope":"${scope}",`)).join('')
    const { text } = await request(runtime.url, 'POST', '/v1/import', {
      ...{ sub: 'reader', scopes, body, headers: { 'Content-Type': 'application/x-ndjson' } },
    })
    expect(text.match(/forbidden_scope/g)).toHaveLength(2)
    expect(text).toContain('"applied":1')
    for (const [sub, count] of [
      ['news', 0],
      ['foreign', 0],
      ['reader', 1],
    ] as const)
      expect(await countOf(sub)).toBe(count)
  })
})

it('the answer to an import that nobody reads ends with its connection', async () => {
  const runtime = await (runtimes['Node with libSQL in a file'] as () => Promise<Runtime>)()
  const token = await signToken(testSecret, { sub: 'deaf' })
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-ndjson' }
  const sending = open(`${runtime.url}/v1/import`, { method: 'POST', headers })
  sending.on('error', () => {})
  sending.write(linesOf(0, chunk * 2))
  await once(sending, 'response')
  sending.destroy()
  expect((await request(runtime.url, 'GET', '/health')).status).toBe(200)
  await runtime.close()
})
