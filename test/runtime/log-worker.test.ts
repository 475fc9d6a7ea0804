import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { hashScope } from '../../src/observe/facts.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { testSecret } from '../support/server.ts'
import { startWorker } from '../support/worker.ts'

describe('the log of a worker', () => {
  let worker: Awaited<ReturnType<typeof startWorker>>
  beforeAll(async () => {
    worker = await startWorker()
  })
  afterAll(() => worker.close())

  async function call(method: string, path: string, more: RequestInit & { headers?: object } = {}) {
    const Authorization = `Bearer ${await signToken(testSecret, { sub: 'cAnArY' })}`
    const headers = { Authorization, 'Content-Type': 'application/json', ...more.headers }
    return fetch(new URL(path, worker.url), { ...more, method, headers })
  }
  /** The line of one answer. It is written after the answer. */
  async function lineOf(answer: Response) {
    const id = answer.headers.get('x-request-id') ?? 'none'
    return vi.waitFor(
      () => {
        const lines = worker.getLogs().filter(({ message }) => message.includes(id))
        expect(lines).toHaveLength(1)
        return JSON.parse(lines[0]?.message ?? '')
      },
      { timeout: 5_000 },
    )
  }

  it('has the same one line a request, and nothing of what was sent', async () => {
    const changes = Array.from({ length: 2_000 }, (_, n) => ({
      table: 'todos',
      op: 'put',
      id: `cAnArY-${n}`,
      at: Date.now() * 1000,
      row: { title: `cAnArY ${'x'.repeat(200)}` },
    }))
    const push = await call('POST', '/v1/push', { body: JSON.stringify({ client: 'a', changes, return: 'lost' }) })
    expect(await lineOf(push)).toMatchObject({
      level: 'info',
      method: 'POST',
      route: '/v1/push',
      status: 200,
      changes: 2_000,
      verdicts: { applied: 2_000, duplicate: 0, stale: 0, rejected: 0 },
      scope_hash: await hashScope('cAnArY'),
    })
    const stream = await call('GET', '/v1/pull?limit=500', { headers: { Accept: 'application/x-ndjson' } })
    const { length } = await stream.text()
    expect(await lineOf(stream)).toMatchObject({ status: 200, rows: 2_000, bytes: length })
    for (const [method, path, expected] of [
      ['GET', '/cAnArY?cAnArY', { route: '*', status: 404 }],
      ['PROPFIND', '/health', { method: '*', route: '/health', status: 405 }],
      ['HEAD', '/v1/pull', { method: 'HEAD', route: '/v1/pull', status: 200 }],
    ] as const) {
      expect(await lineOf(await call(method, path))).toMatchObject(expected)
    }
    expect(JSON.stringify(worker.getLogs()).toLowerCase()).not.toMatch(/canary|eyj/)
  })
})
