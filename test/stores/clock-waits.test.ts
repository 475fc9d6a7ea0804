import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Database from 'libsql'
import { describe, expect, it, vi } from 'vitest'
import { createAuthenticate } from '../../src/http/auth.ts'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { startSending } from '../../src/webhooks/out/node-sending.ts'
import { keyPair, makeToken } from '../programs/tokens/keys.ts'
import { step, stepTheClock } from '../support/step-clock.ts'
import { temporaryFolder } from '../support/stores.ts'

const [hour, day] = [3_600_000, 86_400_000]

stepTheClock()

describe('what a process waits for while its clock stands still or goes back', () => {
  it('P13 a file that another process has locked is given up within the deadline', async () => {
    const { folder, drop } = await temporaryFolder()
    const store = await libsqlFileStore(`file:${folder}/a.db`, { batchMsMax: 200 })
    const other = new Database(`${folder}/a.db`)
    other.exec('BEGIN IMMEDIATE')
    const locked = store.batch('', [{ sql: 'CREATE TABLE t (a)', params: [] }])
    step(-hour)
    await expect(locked).rejects.toMatchObject({ kind: 'transient' })
    other.close()
    await store.close()
    await drop()
  })

  it('P13 a key that the issuer has changed meanwhile is fetched', async () => {
    let pair = keyPair('ES256', 'first')
    const server = createServer((_, response) => response.end(JSON.stringify({ keys: [pair.jwk] }))).listen(
      0,
      '127.0.0.1',
    )
    await new Promise((resolve) => server.once('listening', resolve))
    const authenticate = createAuthenticate({ jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` })
    step(day)
    await authenticate(`Bearer ${makeToken(pair, { sub: 'alice', exp: Date.now() / 1000 + 60 })}`)
    pair = keyPair('ES256', 'second')
    step(0)
    const principal = await authenticate(`Bearer ${makeToken(pair)}`)
    expect(principal.scopes.size).toBe(1)
    server.close()
  })

  it('P2 scopes of their own databases in which something waits are looked for', async () => {
    let looks = 0
    const sender = { matches: () => false, sendScope: async () => undefined, sendDue: async () => {} }
    const findScopes = async () => {
      looks++
      return []
    }
    step(day)
    const sending = startSending({ sender, endpoints: [], findScopes, everyMs: 5, findMs: 20 })
    await vi.waitFor(() => expect(looks).toBe(1))
    step(0)
    await vi.waitFor(() => expect(looks).toBeGreaterThan(2))
    await sending.stop()
  })
})
