import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A handshake by hand: a socket on which any bytes can be sent as frames. */
export async function openRawSocket(url: string, token: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  const handshake =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  socket.write(`GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${handshake}\r\n\r\n`)
  const [answer] = await once(socket, 'data')
  if (!/^HTTP\/1\.1 101 /.test(String(answer))) throw new Error(`the socket does not open: ${answer}`)
  return socket
}

/** A frame of a client; its mask is zero, so that the payload stands in it as it is. */
const frame = (first: number, payload: Buffer | string = '') => {
  const bytes = Buffer.from(payload)
  return Buffer.concat([Buffer.from([first, 0x80 | bytes.length, 0, 0, 0, 0]), bytes])
}
const [text, close, ping] = [0x81, 0x88, 0x89]

/** Frames that no library sends. Each may end its own connection, and must do nothing else. */
export const oddFrames: Readonly<Record<string, Buffer>> = {
  'no mask': Buffer.from([text, 1, 0x78]),
  'text that is no UTF-8': frame(text, Buffer.from([0xff, 0xfe])),
  'a lone surrogate': frame(text, Buffer.from([0xed, 0xa0, 0x80])),
  'an unknown opcode': frame(0x83, 'x'),
  'an unknown opcode of control': frame(0x8b, 'x'),
  'reserved bits': frame(0xf1, 'x'),
  'a continuation of nothing': frame(0x80, 'x'),
  'text within text': Buffer.concat([frame(0x01, 'x'), frame(text, 'y')]),
  'text that never ends': Buffer.concat(Array.from({ length: 2_000 }, (_, n) => frame(n === 0 ? 0x01 : 0x00, 'x'))),
  'a ping in two frames': frame(0x09, 'x'),
  'a thousand pings': Buffer.concat(Array.from({ length: 1_000 }, () => frame(ping, 'x'.repeat(100)))),
  'a ping of 2^63 bytes': Buffer.concat([Buffer.from([ping, 0xff]), Buffer.alloc(8, 255)]),
  'text of 2^63 bytes': Buffer.concat([Buffer.from([text, 0xff]), Buffer.alloc(8, 255)]),
  'text of 2^32 bytes': Buffer.concat([Buffer.from([text, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]), Buffer.alloc(100)]),
  'a close without a code': frame(close),
  'a close of one byte': frame(close, 'x'),
  ...Object.fromEntries(
    [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535].map((code) => [
      `a close by ${code}`,
      frame(close, Buffer.from([code >> 8, code & 255])),
    ]),
  ),
  'a close with text that is no UTF-8': frame(close, Buffer.from([3, 232, 0xff])),
  'text after a close': Buffer.concat([frame(close, Buffer.from([3, 232])), frame(text, 'x')]),
  'half a frame': Buffer.from([text]),
  HTTP: Buffer.from('GET /v1/pull HTTP/1.1\r\nHost: x\r\n\r\n'),
}
