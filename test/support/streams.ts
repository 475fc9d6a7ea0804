import { expect } from 'vitest'

/** A line of a stream. */
export interface Line {
  readonly rows?: number
  readonly cursor?: string
  readonly more?: boolean
  readonly scope?: string
  readonly table?: string
  readonly op?: string
  readonly id?: string
  readonly position?: number
  readonly row?: object
}

/**
 * The lines of an answer as they arrive. `fetch` has decompressed them already, an app that is
 * called directly has not.
 */
export async function* readLines({ status, headers, body }: Response, encoded = true): AsyncGenerator<Line> {
  expect(status).toBe(200)
  let bytes = body as ReadableStream<Uint8Array<ArrayBuffer>>
  if (encoded && headers.get('content-encoding') === 'gzip') bytes = bytes.pipeThrough(new DecompressionStream('gzip'))
  let rest = ''
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line)
  }
  expect(rest).toBe('')
}

export async function linesOf(response: Response): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of readLines(response)) lines.push(line)
  return lines
}

/** What a client holds that takes the lines in their order. */
export class Replica {
  readonly #rows = new Map<string, Line>()

  constructor(lines: readonly Line[] = []) {
    for (const line of lines) this.take(line)
  }

  take(line: Line): void {
    const key = JSON.stringify([line.scope, line.table, line.id])
    if (line.op === 'put') this.#rows.set(key, line)
    if (line.op === 'delete') this.#rows.delete(key)
  }

  copy(): Replica {
    return new Replica([...this.#rows.values()])
  }

  /** In the order of their keys. */
  rows(): readonly Line[] {
    return [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line)
  }
}
