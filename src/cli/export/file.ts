import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw } from 'node:zlib'
import type { ExportPage } from '../../bulk/export.ts'

/** How far the file of an export is, kept beside it until it is whole. */
interface Written {
  /** What is exported: another export does not go on from here. */
  readonly of: string
  /** Bytes of the file that hold whole pages. What lies beyond was cut. */
  readonly bytes: number
  readonly rows: number
  readonly cursor: string | null
  /** Of the lines, which a gzip file ends with: their checksum, and how many bytes they have. */
  readonly crc: number
  readonly size: number
}

export interface ExportFile {
  /** What an earlier export that was cut has written already. */
  readonly resumed: { readonly rows: number; readonly cursor: string } | undefined
  write(page: ExportPage): Promise<void>
  /** Gives the file its name: what has that name was never half a file. */
  finish(): Promise<void>
  /** Leaves what is there for `--resume`. */
  cut(): Promise<void>
}

/**
 * How often it is written down how far the file is. What came after is read again by `--resume`.
 */
const savedMs = 1_000

/**
 * The file of an export, under another name until it is whole. Where its name ends in .gz it is
 * compressed: as one gzip member, which every reader takes, of pages that are each compressed by
 * themselves, so that a cut file goes on after any.
 */
export async function openExportFile(path: string, of: string, resume: boolean): Promise<ExportFile> {
  const [part, state] = [`${path}.part`, `${path}.part.json`]
  const gzipped = path.endsWith('.gz')
  const before = resume ? await readState(state, of) : undefined
  const file = await open(part, before ? 'r+' : 'w').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error(`There is no folder for ${path}, or ${part} is gone`) : error
  })
  let written = before ?? { of, bytes: 0, rows: 0, cursor: null, crc: 0, size: 0 }
  let savedAt = Number.NEGATIVE_INFINITY
  try {
    if ((await file.stat()).size < written.bytes) throw new Error(`${part} is shorter than it was: leave out --resume`)
    await file.truncate(written.bytes)
    if (!before) {
      await rm(state, { force: true })
      if (gzipped) await append(gzipHead)
    }
  } catch (error) {
    await file.close()
    throw error
  }

  async function append(bytes: Uint8Array): Promise<void> {
    await writeAll(file, bytes, written.bytes)
    written = { ...written, bytes: written.bytes + bytes.length }
  }
  /** The pages first, so that what is said to be there is there, whatever stops. */
  async function save(): Promise<void> {
    await file.datasync()
    await writeFile(`${state}.new`, JSON.stringify(written))
    await rename(`${state}.new`, state)
    savedAt = performance.now()
  }

  return {
    resumed: before?.cursor ? { rows: before.rows, cursor: before.cursor } : undefined,
    async write({ text, rows, cursor }) {
      const lines = Buffer.from(text)
      await append(gzipped ? await deflate(lines, { finishFlush: constants.Z_FULL_FLUSH }) : lines)
      const crc = gzipped ? crc32(lines, written.crc) : 0
      written = { ...written, rows: written.rows + rows, cursor, crc, size: (written.size + lines.length) % 2 ** 32 }
      if (performance.now() - savedAt > savedMs) await save()
    },
    async finish() {
      if (gzipped) await append(gzipTail(written.crc, written.size))
      await file.sync()
      await file.close()
      await rename(part, path)
      await rm(state, { force: true })
    },
    async cut() {
      // Where nothing was written there is nothing to go on with.
      if (written.cursor === null) await rm(part, { force: true })
      else await save().catch(() => {})
      await file.close()
    },
  }
}

async function readState(state: string, of: string): Promise<Written> {
  const text = await readFile(state, 'utf8').catch(() => {
    throw new Error('There is no cut export to go on with: leave out --resume')
  })
  const written = JSON.parse(text) as Written
  if (written.of !== of) throw new Error('The cut export is of other scopes or tables: leave out --resume')
  return written
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, from, bytes.length - from, position + from)
    from += bytesWritten
  }
}

const deflate = promisify<Uint8Array, object, Uint8Array>(deflateRaw)

/** RFC 1952: deflate, no name, no time, an unknown system. */
const gzipHead = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)

/** An empty last block, and then the checksum and the size of what was compressed. */
function gzipTail(crc: number, size: number): Uint8Array {
  const tail = Buffer.alloc(10)
  tail.writeUInt16LE(3, 0)
  tail.writeUInt32LE(crc, 2)
  tail.writeUInt32LE(size, 6)
  return tail
}
