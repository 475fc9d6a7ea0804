import type { ClientConfig } from 'pg'
import { readPostgresParams } from './params.ts'

/** What a Postgres URL says, checked. It holds the password: never print one. */
export interface PostgresAddress {
  /** For a person: host and database, and nothing else of the URL. */
  readonly name: string
  /** What pg's client takes. It finds what is undefined in PGHOST, PGUSER and the like. */
  readonly client: Omit<ClientConfig, 'password'> & { readonly password?: string }
  /** Files of certificates that `client.ssl` still lacks, by their names there. */
  readonly files: Readonly<Partial<Record<'ca' | 'cert' | 'key', string>>>
  /** The schema of the tables, where the URL names it. */
  readonly schema: string | undefined
  /** Connections at the most, where the URL says how many. */
  readonly connectionsMax: number | undefined
  /**
   * Those that the writers of one scope may hold, and as many again its readers, where the URL says
   * how many.
   */
  readonly scopeConnectionsMax: number | undefined
}

/** Authority, path and parameters. A fragment means nothing here: a # is one of the password's. */
const urlPattern = /^postgres(?:ql)?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/
const authorityPattern = /^(?:([^@:]*)(?::([^@]*))?@)?(\[[\da-f:.]+\]|[\p{L}\p{N}._~%-]*)(?::(\d{1,5}))?$/iu

/**
 * Reads a URL of Postgres as libpq and the tools around it write them. Throws a `TypeError` with a
 * sentence that shows no part of it, where it could be read in two ways too: behind a raw `#`, `/`
 * or `?` of a password stands a host that is none, and a look for that would already tell a piece
 * of the password to whoever resolves names.
 */
export function readPostgresUrl(url: string): PostgresAddress {
  const [, authority, path = '', query = ''] = urlPattern.exec(url) ?? []
  if (authority === undefined || `${path}${query}`.includes('@') || /%(?![\da-f]{2})/i.test(url)) throw malformed()
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(','))
    throw new TypeError('DATABASE_URL may name one host of Postgres: a list between commas is not taken')
  const parts = authorityPattern.exec(authority)
  if (!parts || Number(parts[4] ?? 0) > 65_535) throw malformed()
  const [user = '', password = '', urlHost = '', urlPort] = parts.slice(1, 5)
  const { given, ...read } = readPostgresParams(new URLSearchParams(query))
  const host = given.host ?? decode(urlHost.replaceAll(/^\[|\]$/g, ''))
  // The folder of a socket, or else a name: nothing that a password could have left behind.
  if (!/^(\/.*|[\p{L}\p{N}._~:-]*)$/u.test(host)) throw malformed()
  const port = given.port ?? urlPort
  const database = given.dbname ?? decode(path.slice(1))
  const shown = host.startsWith('/') ? host : host.includes(':') ? `[${host}]` : host || 'localhost'
  return {
    ...read,
    name: `${shown}${port ? `:${port}` : ''}${database && `/${database}`}`,
    client: {
      ...read.client,
      ...definedOf({ user: given.user ?? decode(user), password: given.password ?? decode(password), host, database }),
      ...(port && { port: Number(port) }),
      // The socket of a machine is not encrypted.
      ...(host.startsWith('/') && { ssl: false }),
    },
  }
}

/** Neon's hosts are asked over HTTP. */
export const isNeonHost = ({ client }: PostgresAddress): boolean => /\.neon\.tech$/.test(client.host ?? '')

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw malformed()
  }
}

/** What is empty is not given. */
function definedOf(members: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== ''))
}

function malformed(): TypeError {
  return new TypeError(
    'DATABASE_URL must be of the form postgres://user:password@host:5432/database, and the password must be percent-encoded: # is %23, @ is %40, / is %2F, ? is %3F, % is %25, a space is %20',
  )
}
