import type { Cursor } from '../model/cursor-entry.ts'
import { deferred } from '../model/deferred.ts'
import type { Facts, StreamEnd } from '../observe/facts.ts'
import { type PullAnswer, pullToLines, rowsLine } from '../wire/answer.ts'
import type { StreamPlace } from './streams.ts'

export interface StreamOptions {
  /** How many rows are to come. */
  readonly rows: number
  readonly first: PullAnswer
  readonly pull: (cursor: Cursor) => Promise<PullAnswer>
  readonly facts: Facts
  readonly place: StreamPlace
  /** How long nobody may read before the stream is cut, in milliseconds. */
  readonly idleMsMax: number
}

/** Bytes that are handed out at once. Small, so that a client on a slow line is seen to read. */
const chunkBytesMax = 32 * 1024

/**
 * How many rows are to come, then one change a line, and after each page a line with the cursor
 * that goes on from there. A page is read when the one before was handed out, and is held as bytes,
 * so memory stays flat: a stream that nobody reads holds one page, and ends. A fault in the middle
 * cuts it: the last cursor line still holds.
 */
export function streamPages(options: StreamOptions): ReadableStream<Uint8Array> {
  const { pull, facts, place, idleMsMax } = options
  const ended = deferred<StreamEnd>()
  facts.ended = ended.promise
  facts.bytes = 0
  let page = takePage(options.first, rowsLine(options.rows, options.first.now))
  let at = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function end(how: StreamEnd): void {
    clearTimeout(timer)
    place.leave()
    page = nothing
    ended.resolve(how)
  }
  function cut(controller: ReadableStreamDefaultController, error?: unknown): void {
    end({ aborted: true, ...(error !== undefined && { error }) })
    // The runtime may print this one, so it must not be the database's, which may hold SQL.
    controller.error(new Error(error === undefined ? 'nobody reads the stream' : 'the stream was cut by a fault'))
  }
  function watch(controller: ReadableStreamDefaultController): void {
    timer = setTimeout(() => cut(controller), idleMsMax)
  }

  return new ReadableStream<Uint8Array>(
    {
      start: watch,
      async pull(controller) {
        clearTimeout(timer)
        place.moved()
        const chunk = page.bytes.subarray(at, at + chunkBytesMax)
        at += chunk.length
        facts.bytes = (facts.bytes ?? 0) + chunk.length
        controller.enqueue(chunk)
        if (at === page.bytes.length) {
          const { next } = page
          if (!next) {
            controller.close()
            return end({ aborted: false })
          }
          try {
            page = nothing
            page = takePage(await pull(next))
            at = 0
          } catch (error) {
            return cut(controller, error)
          }
        }
        watch(controller)
      },
      cancel: () => end({ aborted: true }),
    },
    { highWaterMark: 0 },
  )
}

/** A page as it goes out, and where the next one begins. */
interface StreamPage {
  readonly bytes: Uint8Array
  readonly next: Cursor | undefined
}

function takePage(answer: PullAnswer, begin = ''): StreamPage {
  return {
    bytes: encoder.encode(begin + pullToLines(answer)),
    next: answer.page?.more ? answer.page.cursor : undefined,
  }
}

const encoder = new TextEncoder()
const nothing: StreamPage = { bytes: new Uint8Array(), next: undefined }
