import type { Context } from 'hono'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { malformed } from '../wire/request.ts'
import type { Arriving } from './encoding.ts'
import type { Env } from './env.ts'
import { type Inflate, standardInflate } from './inflate.ts'

/**
 * The bytes of a request as the runtime has them. `env` is what the server hands to `app.fetch`
 * beside it.
 */
export type ReadBody = (request: Request, env: unknown) => AsyncIterator<Uint8Array, unknown>

export interface ArriveOptions {
  /**
   * How bodies are read, where it should not be the standard's stream: `readIncoming` of
   * src/runtime/node/body.ts.
   */
  readonly readBody?: ReadBody
  /**
   * What takes off the encoding of bodies, where it should not be the standard's stream:
   * `nodeInflate`.
   */
  readonly inflate?: Inflate
  /** How long a body may stand still. A setting: `BODY_IDLE_MS_MAX`. */
  readonly bodyIdleMsMax?: number
}

/**
 * The bytes of a request's body as they come, for as long as they come. Nothing counts the whole:
 * an import of hours is one request. Fails with a `Problem` where none has come for a while, or
 * they ended too early.
 */
export type Arrive = (context: Context<Env>) => Arriving & { readonly bytes: AsyncGenerator<Uint8Array> }

export function createArrive({
  readBody = readStream,
  inflate = standardInflate,
  bodyIdleMsMax = limits.bodyIdleMsMax,
}: ArriveOptions = {}): Arrive {
  return (context) => ({ bytes: read(context), inflate })

  async function* read(context: Context<Env>) {
    const bytes = readBody(context.req.raw, context.env)
    let stalled = false
    try {
      for (;;) {
        const read = bytes.next()
        const { value, done } = await within(read, bodyIdleMsMax, () => {
          stalled = true
        })
        if (done) return
        yield value as Uint8Array
      }
    } catch (error) {
      // Whoever sent half a body is gone: no fault of the server's.
      throw error instanceof Problem ? error : malformed('The body ended too early.')
    } finally {
      const ended = bytes.return?.()
      // It would wait for what never comes.
      if (!stalled) await ended?.catch(() => {})
      else ended?.catch(() => {})
    }
  }
}

/**
 * A promise and a timer of its own for each read: a race against one for all would hold every chunk
 * until the end.
 */
function within<Value>(read: Promise<Value>, msMax: number, onStall: () => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onStall()
      reject(stoodStill(msMax))
    }, msMax)
    read.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function stoodStill(msMax: number): Problem {
  const detail = `Nothing of the body came for ${msMax / 1000} seconds. Send it again: what was taken of it before is a duplicate.`
  // What would still come must not be taken for the next request.
  return new Problem('request_timeout', detail, { headers: { Connection: 'close' } })
}

/** By the standard's stream. Nothing where there is none. */
async function* readStream({ body }: Request): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader()
  if (!reader) return
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // Not awaited: whoever still sends would be waited for.
    reader.cancel().catch(() => {})
  }
}
