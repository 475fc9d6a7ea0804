import { type AddressInfo, connect, createServer } from 'node:net'

/**
 * A TCP proxy that counts turns: how often the client speaks again after the server has. Each is a
 * round trip waited for.
 */
export interface TurnProxy {
  readonly port: number
  readonly turns: number
  /** Cuts every connection, and takes no other until what it gives is called. */
  cut(): Promise<() => Promise<void>>
  close(): void
}

export async function startTurnProxy(toPort: number): Promise<TurnProxy> {
  let turns = 0
  const sockets = new Set<{ destroy(): void }>()
  // Without it two small packets in a row wait 40 ms for each other.
  const noDelay = true
  const server = createServer({ noDelay }, (client) => {
    const upstream = connect({ port: toPort, host: '127.0.0.1', noDelay })
    let serverSpoke = true
    client.on('data', (chunk) => {
      if (serverSpoke) turns++
      serverSpoke = false
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      serverSpoke = true
      client.write(chunk)
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  })
  async function listen(at: number): Promise<number> {
    server.listen(at, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  function cutAll(): void {
    server.close()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  return {
    port,
    get turns() {
      return turns
    },
    async cut() {
      cutAll()
      return async () => void (await listen(port))
    },
    close: cutAll,
  }
}
