import { limits } from '../../model/limits.ts'
import { matchScope } from '../../model/scope-pattern.ts'
import { parseTime } from '../../model/time.ts'
import { createSigner } from '../signer.ts'
import { isPrivateHost } from './private-host.ts'

/** Who is told of what was applied: one object of the setting `WEBHOOK_ENDPOINTS`. */
export interface Endpoint {
  /** What the database and the log call it: `[A-Za-z0-9_-]{1,64}`. */
  readonly name: string
  readonly url: string
  /** `whsec_` and the key in base64. */
  readonly secret: string
  /** Patterns with `*` for any text. Every scope where they are left out. */
  readonly scopes?: readonly string[]
  /** The tables whose rows matter. Every table where they are left out. */
  readonly tables?: readonly string[]
  /** Send the rows too, not only where they are. */
  readonly rows?: boolean
  /**
   * Enables it in every scope where it was disabled before this time, RFC 3339: for Durable
   * Objects, which no command reaches.
   */
  readonly resend?: string
}

const members = ['name', 'url', 'secret', 'scopes', 'tables', 'rows', 'resend']

/**
 * The endpoints of `WEBHOOK_ENDPOINTS`; none where it is empty. Throws a `TypeError` that says what
 * to write and shows neither a secret nor a URL, which may hold one.
 */
export function readEndpoints(text: string | undefined, allowPrivate: boolean): readonly Endpoint[] {
  if (!text) return []
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {}
  if (!Array.isArray(list) || list.length > limits.endpointsMax) {
    throw new TypeError(
      `WEBHOOK_ENDPOINTS must be a JSON array of ${limits.endpointsMax} objects at the most, such as [{"name":"crm","url":"https://crm.example/hook","secret":"whsec_…"}]`,
    )
  }
  for (const [place, one] of list.entries()) {
    const must = (holds: boolean, what: string) => {
      if (!holds) throw new TypeError(`WEBHOOK_ENDPOINTS: ${what} in the object at ${place}`)
    }
    must(typeof one === 'object' && one !== null && !Array.isArray(one), 'write {"name":…,"url":…,"secret":…}')
    const { name, url, secret, scopes, tables, rows, resend } = one
    const unknown = Object.keys(one).find((key) => !members.includes(key))
    must(unknown === undefined, `the members are ${members.join(', ')}, so take out ${JSON.stringify(unknown)}`)
    must(/^[\w-]{1,64}$/.test(textOf(name)), 'name must be 1 to 64 of A-Z a-z 0-9 _ -')
    must(list.findIndex((other) => other.name === name) === place, `give another name than ${name}, which is taken,`)
    must(
      isUrl(url, allowPrivate),
      'url must begin with https:// and hold no password and no private host, unless WEBHOOK_ALLOW_PRIVATE is true,',
    )
    must(isSecret(secret), 'secret must be whsec_ and 24 to 64 bytes in base64 (openssl rand -base64 32)')
    must(scopes === undefined || isTexts(scopes), 'scopes must be patterns such as ["team:*"]')
    must(tables === undefined || isTexts(tables), 'tables must be names such as ["todos"]')
    must(rows === undefined || typeof rows === 'boolean', 'rows must be true or false')
    must(
      resend === undefined || typeof parseTime(textOf(resend)) === 'object',
      'resend must be a time such as 2026-11-21T12:00:00Z',
    )
  }
  return list
}

/** Whether the endpoint wants to know of a scope. */
export function scopeMatcher({ scopes = ['*'] }: Endpoint): (scope: string) => boolean {
  return matchScope(scopes)
}

function isUrl(value: unknown, allowPrivate: boolean): boolean {
  if (!URL.canParse(textOf(value))) return false
  const { protocol, hostname, username, password } = new URL(textOf(value))
  if (username + password !== '') return false
  return protocol === 'https:' ? allowPrivate || !isPrivateHost(hostname) : allowPrivate && protocol === 'http:'
}

function isSecret(value: unknown): boolean {
  try {
    createSigner(textOf(value))
    return true
  } catch {
    return false
  }
}

const isTexts = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && one !== '')

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
