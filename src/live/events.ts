import { limits } from '../model/limits.ts'
import type { StreamEnd } from '../observe/facts.ts'
import type { Hub, Session } from './hub.ts'
import type { Listener } from './live.ts'

const encoder = new TextEncoder()
const headers = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  // nginx would keep pokes back until they fill a buffer.
  'X-Accel-Buffering': 'no',
}

/**
 * Server-Sent Events, for those who cannot open a WebSocket: a poke is a `message`, a comment keeps
 * proxies from closing an idle stream, and the last event is `close` with a code and a reason. A
 * stream without it was cut.
 */
export function openEvents(hub: Hub, listener: Listener, onEnd?: (end: StreamEnd) => void): Response {
  hub.admit(listener)
  let session: Session
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const write = (text: string) => {
          const bytes = encoder.encode(text)
          if ((controller.desiredSize ?? 0) + limits.liveBufferedBytesMax >= bytes.length) controller.enqueue(bytes)
          else end(() => controller.error(new Error('the client does not read')))
        }
        // Whatever comes after the end, such as a ping on its way, finds no session any more.
        const end = (how: () => void, aborted = true) => {
          hub.leave(session)
          how()
          onEnd?.({ aborted })
        }
        session = {
          listener,
          send: (poke) => write(`data: ${poke}\n\n`),
          ping() {
            // Not every runtime tells that the reader is gone; but what nobody reads stays where it
            // is.
            if ((controller.desiredSize ?? 0) < 0) end(() => controller.error(new Error('the client does not read')))
            else write(':\n\n')
          },
          close: (closing) =>
            end(() => {
              controller.enqueue(encoder.encode(`event: close\ndata: ${JSON.stringify(closing)}\n\n`))
              controller.close()
            }, false),
        }
        hub.join(session)
        // So that the client sees at once that it is connected.
        write(':\n\n')
      },
      cancel() {
        hub.leave(session)
        onEnd?.({ aborted: true })
      },
    },
    { highWaterMark: 0, size: ({ length }) => length },
  )
  return new Response(body, { headers })
}
