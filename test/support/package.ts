import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'

const run = promisify(execFile)

/**
 * Builds the package once for all files of a run, and gives its folder: others wait for whoever was
 * first.
 */
export async function buildPackage(): Promise<string> {
  const [lock, done] = ['lock', 'done'].map((name) => join(inject('runFolder'), `build-${name}`)) as [string, string]
  const isFirst = await mkdir(lock).then(
    () => true,
    () => false,
  )
  if (isFirst) {
    const result = await run(process.execPath, ['.ci/build.ts']).then(
      () => '',
      (error: unknown) => String(error),
    )
    await writeFile(done, result)
  }
  while (!existsSync(done)) await new Promise((resolve) => setTimeout(resolve, 100))
  return join(process.cwd(), 'dist')
}
