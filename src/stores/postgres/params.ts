import type { ClientConfig } from 'pg'
import { limits } from '../../model/limits.ts'

/** What the parameters of a Postgres URL say. */
export interface PostgresParams {
  readonly client: Omit<ClientConfig, 'password'>
  readonly files: Readonly<Partial<Record<'ca' | 'cert' | 'key', string>>>
  readonly schema: string | undefined
  readonly connectionsMax: number | undefined
  /**
   * Those that the writers of one scope may hold, and as many again its readers, where the URL says
   * how many.
   */
  readonly scopeConnectionsMax: number | undefined
  /** What may stand in the parameters instead of before them. */
  readonly given: Readonly<Partial<Record<(typeof placed)[number], string>>>
}

const placed = ['host', 'port', 'user', 'password', 'dbname'] as const

/**
 * The parameters whose values are few. Those that are not read below mean nothing here, or are so
 * anyway.
 */
const choices: Readonly<Record<string, readonly string[]>> = {
  sslmode: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'],
  ssl: ['true', '1', 'false', '0', 'no-verify'],
  uselibpqcompat: ['true', 'false'],
  sslnegotiation: ['postgres', 'direct'],
  channel_binding: ['disable', 'prefer', 'require'],
  // Statements are unnamed, which every pooler takes.
  pgbouncer: ['true', 'false'],
  // A server that is read only answers every push with 503 until it is not.
  target_session_attrs: ['any', 'read-write', 'primary'],
  client_encoding: ['UTF8', 'utf8', 'utf-8', 'UTF-8', 'auto'],
  gssencmode: ['disable', 'prefer'],
}
const texts = ['sslrootcert', 'sslcert', 'sslkey', 'options', 'application_name', 'schema'] as const
const numbers: Readonly<Record<string, number>> = {
  connection_limit: 1_000,
  scope_connection_limit: 1_000,
  connect_timeout: 3_600,
}
const known = [...Object.keys(choices), ...texts, ...Object.keys(numbers), ...placed]

/** Throws a `TypeError` that names the parameter which is not taken, and never shows a value. */
export function readPostgresParams(params: URLSearchParams): PostgresParams {
  for (const [name, value] of params) checkParam(name, value)
  const text = (name: string) => params.get(name) || undefined
  const number = (name: string) => (params.has(name) ? Number(params.get(name)) : undefined)
  const ssl = readSsl(text)
  const binding = text('channel_binding')
  if (binding === 'require' && (ssl === false || (typeof ssl === 'object' && ssl.rejectUnauthorized === false))) {
    throw new TypeError(
      'channel_binding=require in DATABASE_URL needs a certificate that is verified: write sslmode=verify-full beside it, or leave it out',
    )
  }
  const seconds = number('connect_timeout')
  return {
    client: {
      application_name: text('application_name') ?? 'driftline',
      ...(ssl !== undefined && { ssl }),
      ...(text('sslnegotiation') && { sslnegotiation: text('sslnegotiation') }),
      ...(binding && { enableChannelBinding: binding !== 'disable' }),
      ...(text('options') && { options: text('options') }),
      connectionTimeoutMillis: seconds ? Math.min(seconds * 1000, limits.databaseMsMax) : limits.databaseMsMax / 2,
    },
    files: readFiles(text),
    schema: text('schema'),
    connectionsMax: number('connection_limit'),
    scopeConnectionsMax: number('scope_connection_limit'),
    given: Object.fromEntries(placed.flatMap((name) => (text(name) ? [[name, text(name)]] : []))),
  }
}

function checkParam(name: string, value: string): void {
  const allowed = Object.hasOwn(choices, name) ? choices[name] : undefined
  if (allowed) {
    if (!allowed.includes(value)) throw new TypeError(`${name} in DATABASE_URL must be one of ${allowed.join(', ')}`)
    return
  }
  const most = Object.hasOwn(numbers, name) ? numbers[name] : name === 'port' ? 65_535 : undefined
  if (most !== undefined) {
    const fits = /^\d{1,5}$/.test(value) && Number(value) <= most && (Number(value) >= 1 || name === 'connect_timeout')
    if (!fits) throw new TypeError(`${name} in DATABASE_URL must be a whole number from 1 to ${most}`)
    return
  }
  if (!known.includes(name)) {
    // A password that is not encoded may have left a piece of itself here.
    const shown = /^[a-z][a-z_]{0,40}$/i.test(name) ? `the parameter ${name}` : 'a parameter'
    throw new TypeError(
      `DATABASE_URL has ${shown}, which driftline does not take. Leave it out; it takes ${known.join(', ')}`,
    )
  }
  if (name === 'schema' && !/^[\p{L}\p{N}_$ -]{1,63}$/u.test(value))
    throw new TypeError('schema in DATABASE_URL must name one schema, in letters, digits, _, $, - and spaces')
}

/**
 * As pg reads them today, without the warning that it prints: prefer, require and verify-ca verify
 * the certificate and the host, and `uselibpqcompat=true` asks for what libpq means by the same
 * words.
 */
function readSsl(text: (name: string) => string | undefined): ClientConfig['ssl'] {
  const mode = text('sslmode')
  const hasFiles = text('sslrootcert') ?? text('sslcert') ?? text('sslkey')
  const plain = text('ssl')
  if (mode === 'disable') return false
  if (mode === 'no-verify') return { rejectUnauthorized: false }
  if (mode === undefined) {
    if (plain === 'no-verify') return { rejectUnauthorized: false }
    if (hasFiles || text('sslnegotiation') === 'direct') return {}
    return plain === undefined ? undefined : plain === 'true' || plain === '1' ? {} : false
  }
  if (text('uselibpqcompat') !== 'true' || mode === 'verify-full') return {}
  const root = text('sslrootcert')
  if (mode === 'verify-ca' && !root)
    throw new TypeError('sslmode=verify-ca in DATABASE_URL needs sslrootcert=, the file of the authority to trust')
  if (mode === 'prefer' || !root) return { rejectUnauthorized: false }
  // Any host whose certificate the authority has signed.
  return { checkServerIdentity: () => undefined }
}

function readFiles(text: (name: string) => string | undefined): PostgresParams['files'] {
  const [ca, cert, key] = [text('sslrootcert'), text('sslcert'), text('sslkey')]
  // Those that the system trusts are the default.
  return { ...(ca && ca !== 'system' && { ca }), ...(cert && { cert }), ...(key && { key }) }
}
