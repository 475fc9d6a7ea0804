import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * A TCP proxy that holds back what one side says, for as long as a test needs it: no luck, no
 * timing.
 */
export interface HoldProxy {
  readonly port: number
  /**
   * On each connection nothing passes in this direction any more from the piece on that holds a
   * text: up is towards the server.
   */
  hold(direction: 'up' | 'down', text: string): void
  /** Waits until so many connections are held. */
  holds(connections: number): Promise<void>
  /** Cuts every connection, with what is held back. New ones are whole. */
  cut(): void
  close(): void
}

export async function startHoldProxy(toPort: number): Promise<HoldProxy> {
  let options: { readonly direction: 'up' | 'down'; readonly text: string } | undefined
  const held = new Set<Socket>()
  const pairs = new Set<readonly [Socket, Socket]>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: toPort, host: '127.0.0.1', noDelay: true })
    const pair = [client, upstream] as const
    pairs.add(pair)
    const drop = () => {
      for (const socket of pair) socket.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', drop).on('close', drop)
    const pass = (from: Socket, to: Socket, direction: 'up' | 'down') =>
      from.on('data', (bytes) => {
        if (options?.direction === direction && bytes.includes(options.text)) held.add(from)
        if (!held.has(from)) to.write(bytes)
      })
    pass(client, upstream, 'up')
    pass(upstream, client, 'down')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    options = undefined
    held.clear()
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    hold(direction, text) {
      options = { direction, text }
    },
    async holds(connections) {
      while (held.size < connections) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    cut,
    close() {
      server.close()
      cut()
    },
  }
}
