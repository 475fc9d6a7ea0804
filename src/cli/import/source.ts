import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** The bytes of an import, and how far it has been read. */
export interface ImportSource {
  readonly bytes: AsyncIterable<Uint8Array>
  /**
   * Bytes of the file, and those that have been read. Without a size: nobody knows how much is to
   * come.
   */
  readonly size: number | undefined
  readonly read: number
  /** What would be another file: its size and when it was written. */
  readonly identity: string
  close(): void
}

/**
 * Opens a file or standard input. What is wrong with it is one sentence, now or while it is read.
 */
export async function openSource(file: string, gzip: boolean): Promise<ImportSource> {
  const stats = file === '-' ? undefined : await stat(file)
  if (stats?.isDirectory()) throw new TypeError(`${file} is a folder. Name a file in it.`)
  const stream: Readable = stats ? createReadStream(file, { highWaterMark: 256 * 1024 }) : process.stdin
  let read = 0
  async function* count(): AsyncGenerator<Uint8Array> {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      read += bytes.length
      yield bytes
    }
  }
  async function* inflate(): AsyncGenerator<Uint8Array> {
    try {
      // What is wrong with either stream ends the other, and is thrown here.
      yield* pipeline(Readable.from(count()), createGunzip({ chunkSize: 256 * 1024 }), () => {})
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'Z_BUF_ERROR') throw new Error(`${file} ends too early: the gzip is cut. Get all of it.`)
      if (code?.startsWith('Z_')) throw new Error(`${file} is no gzip, or is damaged (${code}).`)
      throw error
    }
  }
  return {
    bytes: gzip ? inflate() : count(),
    // Of a pipe with a name nobody knows the size.
    size: stats?.isFile() ? stats.size : undefined,
    get read() {
      return read
    },
    identity: stats ? `${stats.size} bytes of ${stats.mtime.toISOString()}` : '',
    close: () => void stream.destroy(),
  }
}
