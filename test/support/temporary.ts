import { accessSync, constants, statfsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const memory = '/dev/shm'
const bytesMin = 2 ** 30

/**
 * In memory where the system has a folder there with room: what a database waits for is then no
 * disk.
 */
function findPlace(): string {
  try {
    accessSync(memory, constants.W_OK)
    const { bavail, bsize } = statfsSync(memory)
    return bavail * bsize < bytesMin ? tmpdir() : memory
  } catch {
    return tmpdir()
  }
}

export async function temporaryFolder(): Promise<{ folder: string; drop: () => Promise<void> }> {
  const folder = await mkdtemp(join(findPlace(), 'driftline-test-'))
  return { folder, drop: () => rm(folder, { recursive: true, force: true }) }
}
