import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { startServer, testSecret } from '../../support/server.ts'
import type { Figure } from './measure.ts'
import { residentBytes } from './memory.ts'

const socketsCount = 10_000
const perSubject = 10

/**
 * What an idle socket costs a server process: its memory with 10,000 sockets of 1,000 principals,
 * against itself just started, so that what it compiles and leaves to the garbage collector counts
 * as the sockets' too. The clients are this process; the kernel's buffers are in neither figure.
 */
export async function liveFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const server = await startServer({ DATABASE_URL: `file:${join(folder, 'a.db')}` })
  const { pid = 0 } = server.process
  const before = await residentBytes(pid)
  const began = performance.now()
  const sockets: WebSocket[] = []
  let pokes = 0
  for (let subject = 0; subject < socketsCount / perSubject; subject++) {
    const token = await signToken(testSecret, { sub: `s${subject}`, scopes: ['everyone'] })
    const opened = Array.from({ length: perSubject }, () => {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/live`, ['driftline', `bearer.${token}`], {
        perMessageDeflate: false,
      })
      socket.on('message', () => pokes++)
      sockets.push(socket)
      return new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    })
    await Promise.all(opened)
  }
  const seconds = (performance.now() - began) / 1000
  // Idle for longer than pings take to come round to every socket.
  await new Promise((resolve) => setTimeout(resolve, 35_000))
  const after = await residentBytes(pid)
  const alive = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length
  if (alive < socketsCount) throw new Error(`only ${alive} sockets are open`)
  const fanOut = await tellAll()
  const perSocket = (after - before) / socketsCount / 1024
  report({
    name: `KB of a Node server's memory for each of ${socketsCount} idle sockets`,
    ours: `${mb(after)} MB with ${socketsCount} sockets`,
    theirs: `${mb(before)} MB with none; opened ${Math.round(socketsCount / seconds)} a second, a poke reached all in ${fanOut} ms`,
    ratios: [perSocket],
    target: 20,
    sense: 'at most',
  })
  for (const socket of sockets) socket.terminate()
  await server.stop()
  await rm(folder, { recursive: true, force: true })

  /** One change in the scope of all: milliseconds until every socket was told. */
  async function tellAll(): Promise<number> {
    const start = performance.now()
    await server.request('POST', '/v1/push', {
      sub: 'writer',
      scopes: ['everyone'],
      body: {
        client: 'bench',
        changes: [{ table: 'todos', op: 'put', id: 'all', scope: 'all', at: Date.now() * 1000, row: { title: 'x' } }],
      },
    })
    while (pokes < socketsCount) await new Promise((resolve) => setTimeout(resolve, 1))
    return Math.round(performance.now() - start)
  }
}

const mb = (bytes: number) => Math.round(bytes / 2 ** 20)
