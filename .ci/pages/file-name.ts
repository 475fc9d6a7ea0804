import { createHash } from 'node:crypto'

/** A name that changes with what is in the file, so that browsers keep it: `head.1f0c93ab.js`. */
export function fileName(name: string, text: string): string {
  return name.replace('.', `.${createHash('sha256').update(text).digest('hex').slice(0, 8)}.`)
}
