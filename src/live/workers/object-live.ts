import { waitUntil } from 'cloudflare:workers'
import { StoreFault } from '../../stores/store.ts'
import { tooManySockets } from '../hub.ts'
import { type Listener, type Live, subprotocol } from '../live.ts'

/**
 * What a worker and the objects among themselves need of a binding's
 * `DurableObjectNamespace<LiveObject>`.
 */
export interface LiveNamespace {
  getByName(scope: string): {
    fetch(url: string, init: RequestInit): Promise<Response>
    poke(scope: string, position: number): Promise<void>
    /** Passes the scope's pokes on to another object, until a time in milliseconds. */
    follow(home: string, until: number): Promise<void>
    /** A poke that was passed on. False: nobody there listens to the scope any more. */
    deliver(scope: string, position: number): Promise<boolean>
  }
}

/** What a worker tells an object of a connection, in one header. */
export interface Arrival {
  readonly listener: Listener
  readonly socketsMax: number
}
export const arrivalHeader = 'driftline-arrival'

/**
 * Live connections on Workers: a connection is held by the object of its first scope, which is told
 * by the objects of the others. A poke is one call of the scope's object, after the answer,
 * whatever the store. How a stream ends is not known here: it goes past the worker, which to see it
 * would have to be at work as long as it lasts.
 */
export function objectLive(namespace: LiveNamespace, socketsMax: number): Live {
  return {
    poke(scope, position) {
      waitUntil(
        namespace
          .getByName(scope)
          .poke(scope, position)
          .catch(() => {}),
      )
    },
    async connect(request, listener, transport) {
      const arrival: Arrival = { listener, socketsMax }
      // Nothing of the request goes on but this: neither the token nor what a client might pass for
      // it.
      const headers = {
        [arrivalHeader]: encodeURIComponent(JSON.stringify(arrival)),
        ...(transport === 'socket' && { Upgrade: 'websocket' }),
      }
      const home = namespace.getByName(listener.scopes[0] ?? '')
      const answer = await home.fetch('http://live', { headers }).catch((error: unknown) => {
        throw new StoreFault('transient', { message: String(error), code: 'OBJECT_LOST', cause: error })
      })
      if (answer.status === 429) throw tooManySockets(socketsMax)
      if (transport === 'events') return new Response(answer.body, answer)
      const { webSocket } = answer as Response & { webSocket: unknown }
      const chosen = request.headers.has('sec-websocket-protocol')
      return new Response(null, {
        status: 101,
        ...(chosen && { headers: { 'Sec-WebSocket-Protocol': subprotocol } }),
        ...({ webSocket } as object),
      })
    },
  }
}
