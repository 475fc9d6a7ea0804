import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { idsOf, putNow } from '../support/pushing.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

describe('slow and stuck clients', () => {
  let server: ServerProcess
  let drop = async () => {}
  const sockets: Socket[] = []
  let dripping: NodeJS.Timeout | undefined
  beforeAll(async () => {
    const made = await temporaryFolder()
    drop = made.drop
    server = await startServer({ DATABASE_URL: `file:${made.folder}/a.db` })
  })
  afterAll(async () => {
    clearInterval(dripping)
    for (const socket of sockets) socket.destroy()
    await server.stop()
    await drop()
  })

  async function open(first: string): Promise<Socket> {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(first)
    return socket
  }

  it('a thousand open sockets, fifty bodies that never end and fifty of a byte a second do not stop the others', async () => {
    const head = `POST /v1/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await signToken(testSecret, { sub: 'alice' })}\r\nContent-Type: application/json\r\n`
    const half = `{"client":"stuck","changes":[${JSON.stringify(putNow('half'))}`
    await Promise.all(Array.from({ length: 900 }, (_, n) => open(n % 2 === 0 ? '' : head)))
    await Promise.all(
      Array.from({ length: 50 }, () =>
        open(`${head}Transfer-Encoding: chunked\r\n\r\n${half.length.toString(16)}\r\n${half}\r\n`),
      ),
    )
    const slow = await Promise.all(
      Array.from({ length: 50 }, () => open(`${head}Content-Length: 4000000\r\n\r\n${half}`)),
    )
    dripping = setInterval(() => {
      for (const socket of slow) socket.write(' ')
    }, 1_000)

    // A push that waited for a stuck client would wait for ever.
    for (let round = 0; round < 40; round++) {
      const changes = Array.from({ length: 20 }, (_, n) => putNow(`${round}-${n}`))
      const answer = await server.request('POST', '/v1/push', { body: { client: 'a', changes, return: 'lost' } })
      expect(answer.status).toBe(200)
    }
    expect(await idsOf(server)).not.toContain('half')
    expect(sockets.filter(({ destroyed }) => destroyed)).toHaveLength(0)
  })

  it('P2 what a client was sending when it broke off is not stored, and does not count as a fault of the server', async () => {
    for (const socket of sockets.splice(0)) socket.resetAndDestroy()
    const answer = await server.request('POST', '/v1/push', { body: { client: 'a', changes: [putNow('after')] } })
    expect(answer.json.verdicts[0].verdict).toBe('applied')
    const ids = await idsOf(server)
    expect([ids.has('after'), ids.has('half')]).toEqual([true, false])
    expect(server.output()).not.toContain('"level":"error"')
  })
})
