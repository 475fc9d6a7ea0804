import { existsSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

let own: Promise<string> | undefined
const waitMsMax = 300_000

/**
 * Makes something once for all processes of a run, in a folder of that name, and gives the folder:
 * others wait for whoever was first, and fail as it did.
 */
export async function onceInRun(name: string, make: (folder: string) => Promise<unknown>): Promise<string> {
  own ??= findFolder()
  const folder = join(await own, name)
  const [done, failed] = [join(folder, '.done'), join(folder, '.failed')]
  const isFirst = await mkdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      return false
    },
  )
  if (isFirst) {
    await make(folder).then(
      () => writeFile(done, ''),
      (error: unknown) => writeFile(failed, String(error)),
    )
  }
  for (const end = Date.now() + waitMsMax; !existsSync(done); ) {
    if (Date.now() > end) throw new Error(`${name} was not made: whoever began it is gone`)
    if (existsSync(failed)) throw new Error(`${name} could not be made: ${await readFile(failed, 'utf8')}`)
    await sleep(50)
  }
  return folder
}

/** What global-setup.ts sets for a run of tests; a program has a folder of its own, until it ends. */
async function findFolder(): Promise<string> {
  if (process.env.TEST_RUN_FOLDER !== undefined) return process.env.TEST_RUN_FOLDER
  const folder = await mkdtemp(join(tmpdir(), 'driftline-program-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
