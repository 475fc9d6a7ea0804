import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { startDev } from '../support/dev.ts'
import { idsOf, pushing, until } from '../support/pushing.ts'
import { testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

describe('npx driftline dev', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function folder(): Promise<string> {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    return folder
  }

  it('serves from Durable Objects with a development token and two lines of curl that work when pasted', async () => {
    const server = await startDev({}, await folder())
    cleanups.push(() => server.stop())
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const [push = '', pull = ''] = server
      .output()
      .split('\n')
      .filter((line) => line.startsWith('curl '))
    const run = (line: string) => JSON.parse(execFileSync('sh', ['-c', line], { encoding: 'utf8' }))
    expect(run(push).verdicts).toMatchObject([{ verdict: 'applied', action: 'inserted' }])
    expect(run(push).verdicts).toMatchObject([{ verdict: 'duplicate' }])
    expect(run(pull).changes).toMatchObject([{ scope: 'alice', row: { name: 'Buy milk' } }])
    expect(await server.stop()).toBe(0)
  })

  it('serves from Postgres where DATABASE_URL says so, migrated, with the settings of the process', async () => {
    const WEBHOOK_SECRETS = JSON.stringify({ crm: webhookSecret })
    const env = { AUTH_SECRET: testSecret, DATABASE_URL: await createDatabase(), WEBHOOK_SECRETS }
    const server = await startDev(env, await folder())
    cleanups.push(() => server.stop())
    const hooked = await sendWebhook((path, init) => fetch(server.url + path, init), { changes: [] })
    expect(hooked.status).toBe(200)
    expect(server.output()).toMatch(/Migrated: driftline\/0001_tables, driftline\/0002_adds, 0001_init/)
    expect(server.output()).not.toMatch(/eyJ|curl/)
    expect(server.output()).not.toContain(testSecret)
    expect((await server.request('GET', '/v1/pull')).status).toBe(200)
  })

  it('refuses a file, which a worker has not, with one sentence', async () => {
    const server = await startDev({ DATABASE_URL: 'file:a.db' }, await folder())
    expect(await server.stop()).toBe(1)
    expect(server.output()).toMatch(/^A worker has no files.*\n$/)
  })

  it('P2 nothing acknowledged is lost when workerd is killed in the middle of pushes, on Durable Objects', async () => {
    const persisted = await folder()
    const acknowledged: string[] = []
    for (let round = 0; round < 2; round++) {
      const server = await startDev({ AUTH_SECRET: testSecret }, persisted)
      cleanups.push(() => server.stop())
      const writers = [pushing([server], `a${round}`), pushing([server], `b${round}`)]
      await until(() => writers.every((writer) => writer.acknowledged.length >= 200))
      await server.kill()
      for (const writer of writers) acknowledged.push(...(await writer.stop()).acknowledged)
    }
    const server = await startDev({ AUTH_SECRET: testSecret }, persisted)
    cleanups.push(() => server.stop())
    const ids = await idsOf(server)
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(800)
  })
})
