import { execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runHere } from '../support/run-here.ts'
import { startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

describe('npm start', () => {
  it('serves from an embedded file with a development token and two lines of curl that work when pasted', async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ AUTH_SECRET: '' }, folder)
    try {
      while (!/\ncurl .*\ncurl .*\n/.test(server.output())) await new Promise((resolve) => setTimeout(resolve, 10))
      const [push = '', pull = ''] = server
        .output()
        .split('\n')
        .filter((line) => line.startsWith('curl '))
      const run = (line: string) => JSON.parse(execFileSync('sh', ['-c', line], { encoding: 'utf8' }))
      expect(run(push).verdicts).toMatchObject([{ verdict: 'applied', action: 'inserted' }])
      expect(run(push).verdicts).toMatchObject([{ verdict: 'duplicate' }])
      expect(run(pull).changes).toMatchObject([{ scope: 'alice', row: { name: 'Buy milk' } }])
      expect((await stat(join(folder, '.driftline/dev-secret'))).mode & 0o777).toBe(0o600)
      const token = execFileSync(
        process.execPath,
        [join(import.meta.dirname, '../../src/cli/main.ts'), 'token', '--sub', 'bob', '--scopes', 'alice'],
        { cwd: folder, encoding: 'utf8' },
      ).trim()
      const answer = await server.request('GET', '/v1/pull', { headers: { Authorization: `Bearer ${token}` } })
      expect(answer.json.changes).toHaveLength(1)
    } finally {
      await server.stop()
      await drop()
    }
  })

  const refusals: [string, Record<string, string>, RegExp][] = [
    ['production without a secret', { AUTH_SECRET: '', NODE_ENV: 'production' }, /Set AUTH_SECRET/],
    ['a misspelt secret', { AUTH_SECRET: '', NODE_ENV: 'production', AUTH_SECERT: 'x' }, /AUTH_SECERT is no setting: AUTH_SECRET is/], // biome-ignore format: one line
    ['another host without a secret', { AUTH_SECRET: '', HOST: '0.0.0.0' }, /Set AUTH_SECRET/],
    ['a short secret', { AUTH_SECRET: 'short' }, /5 bytes and needs 32/],
    ['a secret and a key set', { AUTH_JWKS_URL: 'https://x.example' }, /not both/],
    ['a key set that is no URL', { AUTH_SECRET: '', AUTH_JWKS_URL: 'x' }, /AUTH_JWKS_URL must be a URL/],
    ['a port that is none', { PORT: '80a' }, /PORT must be a whole number/],
    ['an idle time of nought', { BODY_IDLE_MS_MAX: '0' }, /BODY_IDLE_MS_MAX must be a whole number from 1 to/],
    ['a time with a unit', { KEEP_ALIVE_MS: '75s' }, /KEEP_ALIVE_MS must be a whole number from 1 to/],
    ['a time of a month', { HEADERS_MS_MAX: '2678400000' }, /HEADERS_MS_MAX must be a whole number from 1 to/],
    ['a database of another kind', { DATABASE_URL: 'mysql://x' }, /DATABASE_URL must begin with/],
    ['a database in memory', { DATABASE_URL: 'file::memory:' }, /Give a file/],
    ['a key set that is not encrypted', { AUTH_SECRET: '', AUTH_JWKS_URL: 'http://x.example' }, /begins with https/],
    [
      'the keys of everybody without an audience',
      {
        AUTH_SECRET: '',
        AUTH_JWKS_URL: 'https://www.googleapis.com/service_accounts/v1/jwk/x',
        AUTH_ISSUER: 'https://y',
      },
      /Set AUTH_AUDIENCE/,
    ],
    ['a claim that is no path', { AUTH_SCOPES_CLAIM: 'a..b' }, /AUTH_SCOPES_CLAIM must be names of claims/],
    ['two claims for one user', { AUTH_SUB_CLAIM: 'a,b' }, /AUTH_SUB_CLAIM must/],
    ['an origin with a path', { CORS_ORIGINS: 'https://app.example/' }, /CORS_ORIGINS.*write https:\/\/app\.example$/m],
    ['a header that is none', { CORS_HEADERS: 'X-A: 1' }, /CORS_HEADERS must be names of headers/],
    ['a database that is away', { DATABASE_URL: 'postgres://u:secret-password@127.0.0.1:1/x' }, /cannot start/],
  ]
  it.each(refusals)('refuses %s with one sentence', async (_, env, message) => {
    const { folder, drop } = await temporaryFolder()
    const settings = { DATABASE_URL: 'file:a.db', AUTH_SECRET: testSecret, PORT: '0', ...env }
    const { code, out, err } = await runHere('start', [], settings, { cwd: folder })
    expect(code).toBe(1)
    expect(out + err).toMatch(message)
    expect(out + err).not.toMatch(/\n\s+at |secret-password/)
    await drop()
  })

  it('refuses a port that is taken, and a database that does not fit the schema', async () => {
    const { folder, drop } = await temporaryFolder()
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    const server = await startServer({ DATABASE_URL: 'file:a.db', PORT: String(port) }, folder)
    expect(await server.stop()).toBe(1)
    expect(server.output()).toMatch(/cannot listen/)
    taken.close()
    const { createClient } = await import('@libsql/client/sqlite3')
    const client = createClient({ url: `file:${folder}/a.db` })
    await client.execute('ALTER TABLE todos DROP COLUMN notes')
    client.close()
    const other = await startServer({ DATABASE_URL: 'file:a.db' }, folder)
    expect(await other.stop()).toBe(1)
    expect(other.output()).toMatch(/todos.notes is missing: run npx driftline generate/)
    await drop()
  })

  it('says nothing of its secret when one is set', async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: 'file:a.db' }, folder)
    await server.stop()
    expect(server.output()).not.toMatch(/eyJ|curl/)
    expect(server.output()).not.toContain(testSecret)
    await drop()
  })
})
