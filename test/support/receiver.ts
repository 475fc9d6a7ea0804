import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import type { Endpoint } from '../../src/webhooks/out/endpoints.ts'

/** One delivery, its signature verified. */
export interface Received {
  readonly id: string
  readonly path: string
  readonly at: number
  readonly scope: string
  readonly from: number
  readonly to: number
  // biome-ignore lint/suspicious/noExplicitAny: tests read payloads of every form
  readonly payload: any
}

/**
 * What a receiver answers: a status, with headers where they matter, or nothing, or half of an
 * answer.
 */
export type Answer = number | { readonly status: number; readonly headers: Record<string, string> } | 'stall' | 'cut'

/**
 * A real receiver of webhooks, that takes them, fails, stalls, redirects, dies and comes back as a
 * test says.
 */
export interface Receiver {
  readonly url: string
  /** Every request whose signature is right, in the order of arrival. */
  readonly received: readonly Received[]
  /** Requests that were not signed as they must be. */
  readonly forged: readonly string[]
  /** How many were under way at once, at the most. */
  readonly most: number
  /** What it answers from now on. */
  answers(next: (delivery: Received) => Answer | Promise<Answer>): void
  endpoint(more?: Partial<Endpoint>): Endpoint
  /** The receiver is gone; `open` brings it back at the same port. */
  close(): Promise<void>
  open(): Promise<void>
}

export const receiverSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** `now`: the clock of the sender, where that is not this machine's. */
export async function startReceiver(now: () => number = Date.now): Promise<Receiver> {
  const webhook = new Webhook(receiverSecret)
  const received: Received[] = []
  const forged: string[] = []
  let answer: (delivery: Received) => Answer | Promise<Answer> = () => 204
  let [open, most, port] = [0, 0, 0]
  const start = async () => {
    const server = createServer(async (request, response) => {
      most = Math.max(most, ++open)
      try {
        const body = await text(request)
        const id = String(request.headers['webhook-id'])
        const payload = verify(webhook, request.headers, body, now())
        const { scope, from, to } = payload.data
        const one = { id, path: request.url ?? '', at: Date.now(), scope, from, to, payload }
        received.push(one)
        send(response, await answer(one))
      } catch (error) {
        forged.push(String(error))
        response.writeHead(401).end()
      } finally {
        open--
      }
    })
    await once(server.listen(port, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
    return server
  }
  let server = await start()
  const url = `http://127.0.0.1:${port}/hook`
  return {
    url,
    received,
    forged,
    get most() {
      return most
    },
    answers(next) {
      answer = next
    },
    endpoint: (more) => ({ name: 'crm', url, secret: receiverSecret, ...more }),
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
    async open() {
      server = await start()
    },
  }
}

/**
 * The library compares with this machine's clock: it is set to the sender's for as long as that
 * takes.
 */
function verify(webhook: Webhook, headers: IncomingHttpHeaders, body: string, now: number): Received['payload'] {
  const { now: real } = Date
  Date.now = () => now
  try {
    return webhook.verify(body, headers as Record<string, string>)
  } finally {
    Date.now = real
  }
}

function send(response: ServerResponse, answer: Answer): void {
  if (answer === 'stall') return
  if (answer === 'cut') {
    response.socket?.write('HTTP/1.1 200 OK\r\nContent-')
    response.socket?.destroy()
    return
  }
  const { status, headers } = typeof answer === 'number' ? { status: answer, headers: {} } : answer
  response.writeHead(status, headers).end('the body of an answer')
}
