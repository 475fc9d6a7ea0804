import type { JWTPayload } from 'jose'
import { limits } from '../model/limits.ts'
import type { Access } from '../model/principal.ts'
import { isName } from '../model/text.ts'
import { isObject } from '../model/untrusted.ts'
import { logWarning } from '../observe/log.ts'
import { type ClaimPath, parsePaths, parseSinglePath, type Step } from './claim-path.ts'
import { hasDigit, isPermission } from './permissions.ts'
import { unauthorized } from './unauthorized.ts'

export type Granted = readonly [scope: string, access: Access]

export interface ClaimOptions {
  /** Which claims hold scopes: `scopes,o.id,orgs.*.id,org:{o.id}`. */
  readonly scopesClaim?: string
  /** Which claim says who it is. `sub` by default. */
  readonly subClaim?: string
}

/**
 * Reads who it is out of verified claims. A name that cannot be a scope is refused by the claim
 * that holds it: left out
 * silently it would make another scope the first one, where changes without a scope go.
 *
 * @throws TypeError at once where a claim's path cannot be read
 */
export function createReadSubject({ subClaim = 'sub' }: ClaimOptions): (claims: JWTPayload) => string {
  const path = parseSinglePath('AUTH_SUB_CLAIM', subClaim)
  return (claims) => {
    const value = path.steps.reduce<unknown>((inner, step) => memberOf(inner, step), claims)
    // `sub` is text by RFC 7519. Where a setting names the claim, its kind is the issuer's to
    // choose.
    const subject = subClaim !== 'sub' && Number.isSafeInteger(value) ? String(value) : value
    if (typeof subject !== 'string' || subject === '') {
      const hint = subClaim === 'sub' ? ' Where another claim says who it is, name it by AUTH_SUB_CLAIM.' : ''
      throw unauthorized(`The token needs the claim ${path.text}, text.${hint}`, true)
    }
    return subject
  }
}

function memberOf(value: unknown, step: Step): unknown {
  return typeof step === 'object' && isObject(value) && Object.hasOwn(value, step.member)
    ? value[step.member]
    : undefined
}

/** A scope that may be named so. */
export function checkScope(scope: unknown, claim: string): string {
  if (isName(scope, limits.scopeLengthMax)) return scope
  throw unauthorized(
    `The claim ${claim} of the token holds a name that cannot be a scope: one has 1 to ${limits.scopeLengthMax} characters, without control characters and lone surrogates.`,
    true,
  )
}

/** The scopes that a token grants beside its subject's own. */
export type ReadScopes = (claims: JWTPayload) => Iterable<Granted>

/** By the setting alone: no other claim is read. */
export function readScopesAt(setting: string, text: string): ReadScopes {
  const paths = parsePaths(setting, text)
  return (claims) => paths.flatMap((path) => [...walk(claims, path, 0)])
}

/**
 * Without a setting, by a secret: the claim `scopes` as `signToken` writes it, texts or `{ "id",
 * "access": "read" }`. OAuth servers write permissions there. Such a name is no scope, and beside
 * one neither is any that has no digit; an object is unmistakable.
 */
export function readScopesClaim(): ReadScopes {
  let warned = false
  const path: ClaimPath = { text: 'scopes', prefix: '', steps: [] }
  return ({ scopes = [] }) => {
    if (!Array.isArray(scopes)) throw unauthorized('The claim scopes must be an array.', true)
    const holdsPermission = scopes.some((entry) => typeof entry === 'string' && isPermission(entry))
    if (holdsPermission && !warned) {
      warned = true
      logWarning(
        'auth',
        'A token has permissions of OAuth, such as * or read-orders, in its claim scopes: they are not taken for scopes of rows. Name the claim that holds those by AUTH_SCOPES_CLAIM; AUTH_SCOPES_CLAIM=scopes takes all of this one.',
      )
    }
    const isTaken = (name: string) => !holdsPermission || (hasDigit(name) && !isPermission(name))
    return scopes.flatMap((entry: unknown) => {
      return typeof entry === 'string' && !isTaken(entry) ? [] : [...entryAt(entry, path)]
    })
  }
}

/**
 * Without a setting, by a key set: none. Whoever has such a claim is told once why nothing comes of
 * it.
 */
export function readNoScopes(): ReadScopes {
  let warned = false
  return ({ scopes }) => {
    if (!warned && Array.isArray(scopes) && scopes.length > 0) {
      warned = true
      logWarning(
        'auth',
        'A token of the issuer has the claim scopes, which is not read: OAuth servers write permissions there. AUTH_SCOPES_CLAIM names the claims that hold scopes of rows.',
      )
    }
    return []
  }
}

function* walk(value: unknown, path: ClaimPath, depth: number): Generator<Granted> {
  // Whoever has no organisation has no such claim.
  if (value === undefined || value === null) return
  const step = path.steps[depth]
  if (step === undefined) return yield* atEnd(value, path)
  if (step === 'keys') return yield* namesOf(value, path)
  if (step === 'each') {
    if (!Array.isArray(value) && !isObject(value)) throw unfit(path, 'neither array nor object at its *')
    const isLast = depth === path.steps.length - 1
    for (const item of Object.values(value)) yield* isLast ? entryAt(item, path) : walk(item, path, depth + 1)
    return
  }
  if (!isObject(value))
    throw unfit(path, `no object above ${step.member}${Array.isArray(value) ? ', but an array: write * for each' : ''}`)
  yield* walk(memberOf(value, step), path, depth + 1)
}

function* atEnd(value: unknown, path: ClaimPath): Generator<Granted> {
  if (Array.isArray(value)) for (const entry of value) yield* entryAt(entry, path)
  else if (isObject(value) && !Object.hasOwn(value, 'id')) yield* mapAt(value, path)
  else yield* entryAt(value, path)
}

/** One name: text, an integer, or `{ id, access }`, of which other members do not matter. */
function* entryAt(entry: unknown, path: ClaimPath): Generator<Granted> {
  if (entry === null && path.steps.length > 0) return
  const { id, access = 'write' } = isObject(entry) ? entry : { id: entry }
  // Where a setting names the claim, its kind is the issuer's to choose.
  const name = path.steps.length > 0 && Number.isSafeInteger(id) ? String(id) : id
  if (typeof name !== 'string' || (access !== 'read' && access !== 'write'))
    throw unfit(path, 'neither text nor { "id", "access": "read" or "write" }')
  yield [nameOf(name, path), access]
}

/**
 * An object from names to `true`, `"read"`, `"write"` or `{ access }`: nothing else is surely a
 * list of members.
 */
function* mapAt(map: Record<string, unknown>, path: ClaimPath): Generator<Granted> {
  for (const value of Object.values(map)) {
    const access = isObject(value) ? value.access : value
    if (!(typeof access === 'boolean' || access === null || access === 'read' || access === 'write')) {
      const [names, ids] = ['keys()', '*.id'].map((last) => path.text.replace(/\}?$/, (end) => `.${last}${end}`))
      throw unfit(
        path,
        `an object of which it is not clear whether its names are scopes: AUTH_SCOPES_CLAIM may be ${names} or ${ids}`,
      )
    }
  }
  yield* namesOf(map, path)
}

/**
 * The names of an object. What is false or null is no member; `read` may read; whatever else is
 * there may write.
 */
function* namesOf(map: unknown, path: ClaimPath): Generator<Granted> {
  if (!isObject(map)) throw unfit(path, 'no object, which has names')
  for (const [name, value] of Object.entries(map)) {
    const access = isObject(value) ? value.access : value
    if (value !== false && value !== null) yield [nameOf(name, path), access === 'read' ? 'read' : 'write']
  }
}

/** Before the prefix is put on, nothing may be missing: `org:` would be everybody's. */
function nameOf(name: string, path: ClaimPath): string {
  return checkScope(name === '' ? name : path.prefix + name, path.text)
}

function unfit({ text }: ClaimPath, what: string): Error {
  return unauthorized(`The claim ${text} of the token is ${what}.`, true)
}
