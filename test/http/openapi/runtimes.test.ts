import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServerProcess, startServer } from '../../support/server.ts'
import { temporaryFolder } from '../../support/stores.ts'
import { startWorker } from '../../support/worker.ts'

describe('the documents', () => {
  let node: ServerProcess
  let worker: Awaited<ReturnType<typeof startWorker>>
  let drop = async () => {}
  beforeAll(async () => {
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    node = await startServer({ DATABASE_URL: `file:${folder}/a.db`, LOG: 'off' })
    worker = await startWorker()
  })
  afterAll(async () => {
    await node.stop()
    await worker.close()
    await drop()
  })

  it.each([
    ['GET', '/openapi.json', 200],
    ['GET', '/docs', 200],
    ['HEAD', '/docs', 200],
    ['POST', '/docs', 405],
    ['GET', '/docs.html', 404],
  ])('%s %s are the same bytes and headers from Node and from a worker', async (method, path, status) => {
    const [a, b] = await Promise.all([node.url, worker.url].map((url) => fetch(new URL(path, url), { method })))
    const headersOf = (answer: Response | undefined) =>
      ['content-type', 'cache-control', 'content-security-policy', 'x-content-type-options', 'allow'].map((name) =>
        answer?.headers.get(name),
      )
    expect([a?.status, b?.status]).toEqual([status, status])
    expect(headersOf(b)).toEqual(headersOf(a))
    for (const answer of [a, b]) {
      expect(answer?.headers.get('server-timing')).toMatch(/^total;dur=/)
      expect(answer?.headers.get('x-request-id')).toHaveLength(36)
    }
    if (status === 200) expect(await b?.text()).toBe(await a?.text())
  })
})
