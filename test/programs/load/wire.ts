import { Agent, type IncomingMessage, request } from 'node:http'

/** Requests over connections that are kept open, one for each client that asks at the same time. */
export interface Wire {
  send(method: 'GET' | 'POST', path: string, token: string, body?: string): Promise<WireAnswer>
  /**
   * Lets go of the connections, which the server closes after some idle seconds, perhaps while a
   * request is on its way, and opens so many new ones. A busy Node takes on one new connection in a
   * turn of its event loop, between requests of all that are open: whoever connected within a
   * measurement would measure that.
   */
  reopen(connections: number): Promise<void>
}

export interface WireAnswer {
  readonly status: number
  readonly text: string
}

/** How long a client waits for its answer: longer than the server may take until it says 503. */
const answerMsMax = 30_000

/**
 * By node:http rather than fetch, whose cost would be a good part of what is measured on a small
 * machine.
 */
export function openWire(url: string): Wire {
  const { hostname, port } = new URL(url)
  let agent = new Agent({ keepAlive: true })
  const send: Wire['send'] = (method, path, token, body) =>
    new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) }
      const signal = AbortSignal.timeout(answerMsMax)
      const sent = request({ agent, hostname, port, method, path, headers, signal }, (answer) => {
        read(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  return {
    send,
    async reopen(connections) {
      agent.destroy()
      agent = new Agent({ keepAlive: true })
      await Promise.all(Array.from({ length: connections }, () => send('GET', '/health', '')))
    },
  }
}

async function read(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8')
  let text = ''
  for await (const chunk of answer) text += chunk
  return text
}
