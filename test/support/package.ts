import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onceInRun } from './once.ts'

/** Builds the package once for all files of a run, and gives its folder. */
export async function buildPackage(): Promise<string> {
  await onceInRun('package', () => promisify(execFile)(process.execPath, ['.ci/build.ts']))
  return join(process.cwd(), 'dist')
}
