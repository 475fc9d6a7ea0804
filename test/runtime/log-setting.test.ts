import { describe, expect, it } from 'vitest'
import { type ServerProcess, startServer } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

describe('the log of the server', () => {
  it('is written for the last requests as well, when the server is told to stop', async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: `file:${folder}/a.db` })
    const row = { title: 'x' }
    const changes = Array.from({ length: 5_000 }, (_, n) => ({
      table: 'todos',
      op: 'put',
      id: `t${n}`,
      at: Date.now() * 1000,
      row,
    }))
    const answers = Array.from({ length: 4 }, () =>
      server.request('POST', '/v1/push', { body: { client: 'a', changes, return: 'lost' } }),
    )
    await new Promise((resolve) => setTimeout(resolve, 150))
    const stopped = server.stop()
    const settled = await Promise.allSettled(answers)
    await stopped
    const answered = settled.filter((one) => one.status === 'fulfilled' && one.value.status === 200)
    expect(answered.length).toBeGreaterThan(0)
    expect(server.output().match(/"status":200/g)).toHaveLength(answered.length)
    await drop()
  })

  it('is a setting: off, or only what the server itself failed, which is the default in development', async () => {
    for (const [env, failed] of [
      [{ LOG: 'off' }, 0],
      [{ LOG: 'errors' }, 1],
      [{ AUTH_SECRET: '' }, 1],
    ] as const) {
      const { folder: own, drop: dropOwn } = await temporaryFolder()
      const quiet = await startServer({ DATABASE_URL: 'file:a.db', ...env }, own)
      await quiet.request('GET', '/nothing')
      const { createClient } = await import('@libsql/client/sqlite3')
      const client = createClient({ url: `file:${own}/a.db` })
      const token = 'AUTH_SECRET' in env ? /^eyJ\S+$/m.exec(await printed(quiet))?.[0] : undefined
      await client.execute('DROP TABLE lists')
      client.close()
      const { status } = await quiet.request(
        'GET',
        '/v1/pull',
        token ? { headers: { Authorization: `Bearer ${token}` } } : {},
      )
      expect(status).toBe(500)
      await quiet.stop()
      expect(quiet.output().match(/^\{.*"status":500.*$/gm) ?? []).toHaveLength(failed)
      expect(quiet.output()).not.toContain('"status":404')
      await dropOwn()
    }
  })
})

async function printed(server: ServerProcess): Promise<string> {
  while (!/^eyJ\S+$/m.test(server.output())) await new Promise((resolve) => setTimeout(resolve, 5))
  return server.output()
}
