import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What may go wrong with one direction of a connection, once so many bytes have passed. `delay` and
 * `slow` go on so for 4,000 bytes and then cut, so that no pool ends up with nothing but slow
 * connections.
 */
export const faultKinds = ['delay', 'slow', 'cut', 'reset', 'black hole', 'half close'] as const
export type FaultKind = (typeof faultKinds)[number]

export interface FaultProxy {
  readonly port: number
  /** How often each fault struck, as `reset up`: up is towards the server. */
  readonly struck: ReadonlyMap<string, number>
  /**
   * From now on connections are bad, or whole again. Whatever is connected is cut. At first they
   * are whole.
   */
  turn(to: 'bad' | 'whole'): void
  close(): void
}

/**
 * What goes wrong with a connection: how, on the way to the server (`up`) or from it, and after how
 * many bytes.
 */
export interface Fault {
  readonly kind: FaultKind
  readonly direction: 'up' | 'down'
  readonly after: number
}

/**
 * All kinds in turn, in both directions, and each at a random place: a run of some seconds meets
 * all of them.
 */
export function drawFaults(random: () => number, bytesMax: number): () => Fault {
  let drawn = 0
  return () => ({
    kind: faultKinds[drawn++ % faultKinds.length] as FaultKind,
    direction: random() < 0.5 ? 'up' : 'down',
    after: Math.floor(random() * bytesMax),
  })
}

/**
 * A TCP proxy to a port of this machine that, while it is bad, breaks every connection in one way
 * or another.
 */
export async function startFaultProxy(toPort: number, draw: () => Fault): Promise<FaultProxy> {
  const struck = new Map<string, number>()
  const pairs = new Set<readonly [Socket, Socket]>()
  let whole = true

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: toPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const fault = whole ? undefined : draw()
    const pair = [client, upstream] as const
    pairs.add(pair)
    const drop = () => {
      for (const socket of pair) socket.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', drop).on('close', drop)
    let isStruck = false
    const strike = (): Fault['kind'] | undefined => {
      if (whole) return undefined
      const name = `${fault?.kind} ${fault?.direction}`
      if (!isStruck) struck.set(name, (struck.get(name) ?? 0) + 1)
      isStruck = true
      return fault?.kind
    }
    void pump(client, upstream, fault?.direction === 'up' ? { ...fault, strike } : undefined, drop)
    void pump(upstream, client, fault?.direction === 'down' ? { ...fault, strike } : undefined, drop)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))

  const dropAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    struck,
    turn(to) {
      whole = to === 'whole'
      dropAll()
    },
    close() {
      server.close()
      dropAll()
    },
  }
}

/** Passes on what comes, up to the byte where the fault strikes. */
async function pump(
  from: Socket,
  to: Socket,
  fault: (Fault & { strike(): FaultKind | undefined }) | undefined,
  drop: () => void,
): Promise<void> {
  let passed = 0
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const whole = fault ? Math.max(0, fault.after - passed) : chunk.length
      passed += chunk.length
      if (whole > 0) to.write(chunk.subarray(0, whole))
      if (chunk.length <= whole) continue
      const kind = fault?.strike()
      if (kind === 'cut' || kind === undefined) return drop()
      if (kind === 'reset') return void to.resetAndDestroy()
      // What was sent before is still answered, and nothing more.
      if (kind === 'half close') return void to.end()
      // Neither an end nor a byte: only a deadline notices.
      if (kind === 'black hole') return await new Promise(() => {})
      await trickle(chunk.subarray(whole), to, kind)
      if (passed > (fault?.after ?? 0) + 4_000) return drop()
    }
    to.end()
  } catch {
    drop()
  }
}

async function trickle(bytes: Buffer, to: Socket, kind: 'delay' | 'slow'): Promise<void> {
  const step = kind === 'delay' ? bytes.length : 16
  for (let at = 0; at < bytes.length; at += step) {
    await sleep(kind === 'delay' ? 30 : 1)
    to.write(bytes.subarray(at, at + step))
  }
}
