import { open, readFile, rename, rm } from 'node:fs/promises'

/** How far an import has come. Whatever came after it comes again, and is a duplicate (P5). */
export interface ImportState {
  /**
   * What must be the same to go on: the file, the database and the options, each with its value.
   */
  readonly same: Readonly<Record<string, string>>
  /** The stamp of the rows, where they have one for all, in microseconds. */
  readonly at: number | undefined
  /** The last line that was taken for good, or rejected. */
  readonly line: number
  readonly counts: Readonly<Record<'applied' | 'duplicate' | 'stale' | 'rejected', number>>
  /** Records that a mapping passed over. */
  readonly passed?: number
  /** Bytes of the files of rejected lines: of what is wrong, and of them as they came. */
  readonly rejectedBytes: number
  readonly rejectedRowsBytes: number
  readonly seconds: number
  /** When it was written, for a person. */
  readonly time: string
}

/** The state of an import of this file that has not come to its end, if there is one. */
export async function readState(path: string): Promise<ImportState | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new TypeError(`${path} cannot be read as the state of an import. Remove it, or begin anew with --anew.`)
  }
}

/** All or nothing, also where the machine stops. */
export async function writeState(path: string, state: ImportState): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w')
  try {
    await file.writeFile(`${JSON.stringify(state)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

export const dropState = (path: string): Promise<void> => rm(path, { force: true })

/** Throws a `TypeError` that names what is other than it was. */
export function checkSame(then: ImportState['same'], now: ImportState['same'], path: string): void {
  const names = new Set([...Object.keys(then), ...Object.keys(now)])
  const other = [...names].filter((name) => then[name] !== now[name])
  if (other.length === 0) return
  const words = other.map((name) => `${name}: ${then[name] ?? 'none'} then, ${now[name] ?? 'none'} now`)
  throw new TypeError(
    `Not the same import as the one that was stopped (${path}). ${words.join('; ')}. Give the same, or begin anew with --anew.`,
  )
}
