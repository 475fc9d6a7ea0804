import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = '.driftline'
const file = `${folder}/dev-secret`

/** The development secret of this folder: random, made once, readable by its owner only. */
export function devSecret(): string {
  mkdirSync(folder, { recursive: true })
  try {
    // Fails where it exists, so that two processes that start together end with the same one.
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'utf8').trim()
}
