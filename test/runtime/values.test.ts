import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { request } from '../support/server.ts'
import { sendWebhook } from '../support/webhook.ts'

const places = ['Node with libSQL in a file', 'Node with Postgres', 'workerd with Durable Objects'] as const
const at = 1_700_000_000_000_000
const literals = ['9007199254740993', '12345678901234567.89', '0.1234567890123456789', '1e-400', '1e400']

describe.each(places)('numbers that no double holds, sent to %s', (name) => {
  let runtime: Runtime
  beforeAll(async () => {
    runtime = await (runtimes[name] as () => Promise<Runtime>)()
  })
  afterAll(() => runtime.close())
  const send = (path: string, body: string, type = 'application/json') =>
    request(runtime.url, 'POST', path, { sub: 'numbers', body, headers: { 'Content-Type': type } })
  const change = (id: string, amount: string, more = `,"at":${at}`) =>
    `{"table":"todos","op":"put","id":"${id}","row":{"title":"9007199254740993","amount":${amount}}${more}}`
  const all = (more?: string) =>
    [...literals, '0.30000000000000004', '-1.50e1'].map((one, n) => change(`n${n}`, one, more))
  // biome-ignore lint/suspicious/noExplicitAny: what came is what the test looks at
  const codes = ({ verdicts }: any) => verdicts.map((one: any) => one.error?.code ?? one.verdict)
  const rejected = literals.map(() => 'invalid_value')

  it.each(['push', 'sync'])('P12 are rejected alone, and their neighbours are taken: %s', async (half) => {
    const { json } = await send(`/v1/${half}`, `{"client":"${half}","changes":[${all().join(',')}]}`)
    expect(codes(json)).toEqual([...rejected, 'applied', 'applied'])
    const rows = json.verdicts.slice(-2).map((one: { current: { row: object } }) => one.current.row)
    expect(rows).toMatchObject([{ title: '9007199254740993', amount: 0.30000000000000004 }, { amount: -15 }])
  })

  it('P12 are rejected alone by a webhook, stamped or not', async () => {
    const post = (path: string, init: RequestInit) => fetch(runtime.url + path, init)
    for (const more of ['', `,"at":${at}`]) {
      const { body } = await sendWebhook(post, `{"scope":"hook${more.length}","changes":[${all(more).join(',')}]}`)
      expect(codes(body)).toEqual([...rejected, 'applied', 'applied'])
    }
  })

  it('P12 are rejected alone by an import', async () => {
    const { text } = await send('/v1/import?client=lines', all().join('\n'), 'application/x-ndjson')
    const lines = text.trimEnd().split('\n').map((one) => JSON.parse(one)) // biome-ignore format: one line
    expect(lines.filter(({ error }) => error).map(({ line, error }) => [line, error.code])).toEqual(
      literals.map((_, n) => [n + 1, 'invalid_value']),
    )
    expect(lines.at(-1)).toMatchObject({ lines: 7, rejected: 5, done: true })
  })

  it('are refused where the request itself has them', async () => {
    for (const literal of literals) {
      for (const members of [
        `"limit":${literal}`,
        `"atomic":${literal}`,
        `"cursor":${literal}`,
        `"changes":${literal}`,
      ])
        expect((await send('/v1/sync', `{"client":"a",${members}}`)).json.code, members).toBe('malformed')
      expect((await send('/v1/sync', literal)).json.code).toBe('malformed')
    }
  })
})
