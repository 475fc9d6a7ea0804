import { once } from 'node:events'
import { connect } from 'node:net'

/**
 * What came back: the status, 0 where the server closed without one, or nothing where it waits for
 * more.
 */
export interface RawAnswer {
  readonly status: number | undefined
  readonly text: string
}

/**
 * Sends bytes as they are, and waits for an answer or an end; whoever waits for more is given up
 * after a moment.
 */
export async function sendRaw(url: string, bytes: string | Buffer, waitMs = 700): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
  let text = ''
  const ended = new Promise<'closed' | 'waits'>((resolve) => {
    setTimeout(() => resolve('waits'), waitMs)
    socket.on('error', () => resolve('closed')).on('end', () => resolve('closed'))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (/^HTTP\/1\.[01] [2-5]/.test(text)) resolve('closed')
    })
  })
  await once(socket, 'connect')
  socket.write(bytes)
  const end = await ended
  socket.destroy()
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]
  return { status: status ? Number(status) : end === 'closed' ? 0 : undefined, text }
}

/**
 * Requests that no HTTP library sends: each must be refused, or cut off, or waited for. `token` is
 * a valid one.
 */
export function rawRequests(token: string): Readonly<Record<string, string | Buffer>> {
  const auth = `Authorization: Bearer ${token}\r\n`
  const host = 'Host: x\r\n'
  const json = 'Content-Type: application/json\r\n'
  const push = (headers: string, body: string) => `POST /v1/push HTTP/1.1\r\n${host}${auth}${json}${headers}\r\n${body}`
  const pull = (line: string, headers = '') => `${line}\r\n${host}${auth}${headers}\r\n`
  const change = `{"client":"raw","changes":[{"table":"todos","op":"put","id":"raw","at":1700000000000000,"row":{"title":"raw"}}]}`
  const hex = change.length.toString(16)
  return {
    'no HTTP': 'hello\r\n\r\n',
    zeros: Buffer.alloc(1_000),
    'a TLS hello': Buffer.from('16030100c8010000c40303', 'hex'),
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/0.9': 'GET /v1/pull\r\n\r\n',
    'HTTP/9.9': pull('GET /v1/pull HTTP/9.9'),
    'no path': pull('GET  HTTP/1.1'),
    'a path without a slash': pull('GET v1/pull HTTP/1.1'),
    'a space in the path': pull('GET /v1/pull x HTTP/1.1'),
    'a NUL in the path': pull('GET /v1/pull?cursor=\0 HTTP/1.1'),
    'bytes above 127 in the path': Buffer.from(pull('GET /v1/pull?cursor=\xff\xfe HTTP/1.1'), 'latin1'),
    'a broken escape': pull('GET /v1/pull?cursor=%zz HTTP/1.1'),
    'an escape that is no UTF-8': pull('GET /v1/pull?cursor=%ff%fe HTTP/1.1'),
    'an escape of NUL': pull('GET /v1/pull?cursor=%00 HTTP/1.1'),
    'a source that is no UTF-8':
      'POST /v1/webhooks/%ff%fe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    'a path with dots': pull('GET /v1/../../etc/passwd HTTP/1.1'),
    'a path with escaped dots': pull('GET /docs/%2e%2e/%2e%2e/etc/passwd HTTP/1.1'),
    'another host in the path': pull('GET http://169.254.169.254/latest/meta-data HTTP/1.1'),
    CONNECT: 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n',
    'OPTIONS *': `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
    TRACE: pull('TRACE /v1/pull HTTP/1.1'),
    'a long path': pull(`GET /v1/pull?cursor=${'a'.repeat(100_000)} HTTP/1.1`),
    'a long header': pull('GET /v1/pull HTTP/1.1', `X: ${'a'.repeat(200_000)}\r\n`),
    'many headers': pull('GET /v1/pull HTTP/1.1', 'X: a\r\n'.repeat(20_000)),
    'a NUL in a header': pull('GET /v1/pull HTTP/1.1', 'X: a\0b\r\n'),
    'a line break in the token': `GET /v1/pull HTTP/1.1\r\n${host}Authorization: Bearer a\r\n b\r\n\r\n`,
    'a NUL in the token': `GET /v1/pull HTTP/1.1\r\n${host}Authorization: Bearer a\0b\r\n\r\n`,
    'bytes above 127 in the token': Buffer.from(
      `GET /v1/pull HTTP/1.1\r\n${host}Authorization: Bearer \xff\xfe\r\n\r\n`,
      'latin1',
    ),
    'a header without a name': pull('GET /v1/pull HTTP/1.1', ': a\r\n'),
    'a space before the colon': pull('GET /v1/pull HTTP/1.1', 'X : a\r\n'),
    'no host': `GET /v1/pull HTTP/1.1\r\n\r\n`,
    'two hosts': pull('GET /v1/pull HTTP/1.1', 'Host: y\r\n').replace(auth, ''),
    'a host that is none': `GET /v1/pull HTTP/1.1\r\nHost: a b/\\?#@\r\n\r\n`,
    'two tokens': `GET /v1/pull HTTP/1.1\r\n${host}${auth}Authorization: Bearer x\r\n\r\n`.replace(
      auth,
      'Authorization: Bearer y\r\n',
    ),
    'a length below zero': push('Content-Length: -1\r\n', change),
    'a length that is no number': push('Content-Length: ten\r\n', change),
    'two lengths': push(`Content-Length: 5\r\nContent-Length: ${change.length}\r\n`, change),
    'a length too large': push('Content-Length: 99999999999999999999\r\n', change),
    'a length and chunks': push(
      `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`,
      `${hex}\r\n${change}\r\n0\r\n\r\n`,
    ),
    'an encoding that is unknown': push('Transfer-Encoding: xchunked\r\n', `${hex}\r\n${change}\r\n0\r\n\r\n`),
    'chunks by another name': push('Transfer-Encoding: chunked, identity\r\n', `${hex}\r\n${change}\r\n0\r\n\r\n`),
    'a chunk of no size': push('Transfer-Encoding: chunked\r\n', `zz\r\n${change}\r\n0\r\n\r\n`),
    'a chunk below zero': push('Transfer-Encoding: chunked\r\n', `-1\r\n${change}\r\n0\r\n\r\n`),
    'a chunk too large': push('Transfer-Encoding: chunked\r\n', `ffffffffffffffff1\r\n${change}\r\n0\r\n\r\n`),
    'a chunk longer than it says': push('Transfer-Encoding: chunked\r\n', `5\r\n${change}\r\n0\r\n\r\n`),
    'a body cut off': push(`Content-Length: ${change.length + 10}\r\n`, change),
    'gzip that is none': push(`Content-Encoding: gzip\r\nContent-Length: ${change.length}\r\n`, change),
    'an upgrade to nothing': pull('GET /v1/live HTTP/1.1', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    'an upgrade with a wrong key': pull(
      'GET /v1/live HTTP/1.1',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n',
    ),
    'an upgrade of another version': pull(
      'GET /v1/live HTTP/1.1',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 99\r\n',
    ),
  }
}
