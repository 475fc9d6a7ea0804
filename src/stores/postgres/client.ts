import { readFileSync } from 'node:fs'
import type { ClientConfig } from 'pg'
import type { PostgresAddress } from './url.ts'

/**
 * What pg's client takes, with the certificates in it. Throws a `TypeError` where a file of them
 * cannot be read.
 */
export function clientConfig({ client, files }: PostgresAddress): ClientConfig {
  const found = Object.entries(files).map(([name, path]) => [name, readCertificate(name, path)])
  return found.length > 0 && typeof client.ssl === 'object'
    ? { ...client, ssl: { ...client.ssl, ...Object.fromEntries(found) } }
    : client
}

const params: Readonly<Record<string, string>> = { ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' }

function readCertificate(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new TypeError(
      `${params[name]} in DATABASE_URL must name a file that can be read here (${(error as { code?: string }).code})`,
    )
  }
}
