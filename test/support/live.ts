import { signToken, type TokenClaims } from '../../src/runtime/sign-token.ts'
import { testSecret } from './server.ts'

export interface Poke {
  readonly scope: string
  readonly position: number
}

/** A client of `/v1/live`, and what it was told. */
export interface Listening {
  readonly pokes: readonly Poke[]
  /** Everything that came, as text. */
  readonly received: readonly string[]
  readonly closed: Promise<{ code: number; reason: string }>
  /** Waits until it was told that a scope is at a position or beyond. */
  reached(scope: string, position: number): Promise<void>
  close(): void
}

export interface ListenOptions extends Partial<TokenClaims> {
  /** Behind the path, such as `?scope=alice`. */
  readonly query?: string
  readonly token?: string
}

export async function tokenOf({ sub = 'alice', token, ...claims }: ListenOptions): Promise<string> {
  return token ?? (await signToken(testSecret, { sub, ...claims }))
}

/** Node's own WebSocket, with the token where a browser has to put it. */
export async function listenBySocket(url: string, options: ListenOptions = {}): Promise<Listening> {
  const { protocol, host } = new URL(url)
  const address = `${protocol.replace('http', 'ws')}//${host}/v1/live${options.query ?? ''}`
  const socket = new WebSocket(address, ['driftline', `bearer.${await tokenOf(options)}`])
  const received: string[] = []
  socket.addEventListener('message', ({ data }) => received.push(String(data)))
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error('the socket does not open')))
  })
  return listening(received, closed, () => socket.close())
}

/** Server-Sent Events by fetch, since an EventSource can send no token. */
export async function listenByEvents(url: string, options: ListenOptions = {}): Promise<Listening> {
  const stop = new AbortController()
  const response = await fetch(new URL(`/v1/live${options.query ?? ''}`, url), {
    headers: { Authorization: `Bearer ${await tokenOf(options)}`, Accept: 'text/event-stream' },
    signal: stop.signal,
  })
  if (response.status !== 200) throw new Error(`the stream does not open: ${response.status} ${await response.text()}`)
  const received: string[] = []
  const closed = (async () => {
    let rest = ''
    const text = response.body?.pipeThrough(new TextDecoderStream())
    for await (const chunk of text as unknown as AsyncIterable<string>) {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        if (/^event: close$/m.test(event)) return JSON.parse(data ?? '') as { code: number; reason: string }
        if (data !== undefined) received.push(data)
      }
    }
    return { code: 0, reason: 'cut' }
  })().catch(() => ({ code: 0, reason: 'cut' }))
  return listening(received, closed, () => stop.abort())
}

export const clients = { WebSocket: listenBySocket, 'Server-Sent Events': listenByEvents }

export function listening(received: string[], closed: Listening['closed'], close: () => void): Listening {
  const pokesOf = () => received.map((text) => JSON.parse(text) as Poke)
  return {
    received,
    get pokes() {
      return pokesOf()
    },
    closed,
    close,
    async reached(scope, position) {
      const deadline = Date.now() + 10_000
      while (!pokesOf().some((poke) => poke.scope === scope && poke.position >= position)) {
        if (Date.now() > deadline) throw new Error(`no poke of ${scope} at ${position}: ${received.join(' ')}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
  }
}

/** Longer than a burst of pokes is held together, and a way over the network. */
export const quiet = () => new Promise((resolve) => setTimeout(resolve, 250))

export const put = (id: string, more: object = {}) => ({
  table: 'todos',
  op: 'put',
  id,
  at: Date.now() * 1000,
  row: { title: id },
  ...more,
})
