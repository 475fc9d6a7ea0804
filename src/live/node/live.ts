import { logError, logReturn } from '../../observe/log.ts'
import { isPostgresOverTcp, splitShards } from '../../stores/database-url.ts'
import { postgresFault } from '../../stores/fault.ts'
import { createHub } from '../hub.ts'
import { type SocketLive, socketLive } from './sockets.ts'

/**
 * The live connections of a Node process: a hub in the process, and LISTEN and NOTIFY to the other
 * processes where the database is Postgres over TCP. Other databases carry nothing: there each
 * process tells only of its own commits.
 */
export async function openNodeLive(databaseUrl: string, socketsMax: number): Promise<SocketLive> {
  const hub = createHub(socketsMax)
  const sockets = socketLive(hub)
  // All servers of the same shards have the first in common.
  const [first = ''] = splitShards(databaseUrl)
  const bus = isPostgresOverTcp(first) ? await openBus(first, hub.poke) : undefined
  return {
    ...sockets,
    poke(scope, position) {
      // After the answer of the push that this comes from, however many there are to tell.
      setImmediate(() => {
        hub.poke(scope, position)
        bus?.send(scope, position)
      })
    },
    close() {
      sockets.close()
      bus?.close()
    },
  }
}

/** The driver is loaded only where it is needed. */
async function openBus(url: string, receive: (scope: string, position: number) => void) {
  const { postgresBus } = await import('./postgres-bus.ts')
  const bus = postgresBus(url, receive, {
    lost: (error) => logError('live', postgresFault(error)),
    back: (awayMs) => logReturn('live', awayMs),
  })
  await bus.ready
  return bus
}
