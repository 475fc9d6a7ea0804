import { fileURLToPath } from 'node:url'

/** The path that a `file:` URL names, relative ones from where the process runs. */
export function filePath(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length)
}
