import type { MapLine, MappedLine } from '../bulk/map-chunks.ts'
import { type RejectionCode, rejection } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { PayloadFault } from '../model/payload-fault.ts'
import { matchScope } from '../model/scope-pattern.ts'
import type { Schema } from '../model/table.ts'
import { isObject } from '../model/untrusted.ts'
import { logError } from '../observe/log.ts'
import type { WebhookSource, WebhookSources } from '../webhooks/in/sources.ts'
import { malformed } from '../wire/request.ts'

/** A source of webhooks whose mapping takes payloads, or a `Problem` where there is none. */
export function findSource<S extends Schema>(sources: WebhookSources<S>, name: string): WebhookSource<S> {
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined
  if (typeof source?.map === 'function') return source
  throw malformed('"source" must be a source of webhooks that has a mapping on this server.')
}

export interface SourceLines {
  readonly name: string
  /** Where changes go that name no scope. */
  readonly scope: string | undefined
  /** The stamp of the changes that have none. Absent: the time when they come. */
  readonly at: number | undefined
  /** Those of the request. */
  readonly headers: Headers
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * The lines of an import by the mapping of a source, as if each came as a webhook of it: a line is
 * a payload, and no more of what the mapping throws is shown than of a webhook. The scopes of the
 * source bound what comes of it, beside those of the token.
 */
export function sourceMapper<S extends Schema>(
  { map, scopes }: WebhookSource<S>,
  { name, scope: fallback, at, headers, now }: SourceLines,
): MapLine {
  const isAllowed = scopes ? matchScope(scopes) : () => true
  let isLogged = false
  // Each later than the one before, so that of two payloads about one row the later one stays.
  let stamp = 0
  const nextStamp = () => {
    stamp = Math.max(stamp + 1, now() * 1000)
    return stamp
  }

  return async ({ value }) => {
    try {
      return toLine(await map?.(value, headers))
    } catch (error) {
      // One line of the log for all of them: there may be millions.
      if (!isLogged) logError(`import ${name}`, error)
      isLogged = true
      return refuse(error instanceof PayloadFault ? error.message : 'it failed.')
    }
  }

  function toLine(given: unknown): MappedLine {
    if (!Array.isArray(given)) return refuse('it gave no array of changes.')
    if (given.length > limits.changesMax) return refuse(`it gave more than ${limits.changesMax} changes.`)
    const isForeign = (change: unknown) => {
      const scope = isObject(change) ? (change.scope ?? fallback) : fallback
      return typeof scope === 'string' && !isAllowed(scope)
    }
    if (given.some(isForeign)) return refuse('its source may not write this scope.', 'forbidden_scope')
    return { changes: given.map(withStamp) }
  }

  function withStamp(change: unknown): unknown {
    return isObject(change) && change.at === undefined ? { ...change, at: at ?? nextStamp() } : change
  }

  function refuse(why: string, code: RejectionCode = 'invalid_change'): MappedLine {
    return { error: rejection(code, `The mapping of the source ${name} does not take this line: ${why}`) }
  }
}
