import type { Change } from '../../model/change.ts'
import { type Rejection, rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import type { Principal } from '../../model/principal.ts'
import { isName } from '../../model/text.ts'
import type { Grant } from '../../wire/request.ts'

export type Authorized =
  | { readonly scope: string; readonly error?: never }
  | { readonly error: Rejection; readonly scope?: never }

/**
 * The scope that a change goes to. The refusal is worded the same whether or not the scope exists
 * (P11).
 */
export function authorizeChange(change: Pick<Change, 'scope'>, principal: Principal): Authorized {
  const scope = change.scope ?? firstScope(principal)
  // No token will ever grant it, so that nobody has to keep the change until one does.
  if (scope !== undefined && !isName(scope, limits.scopeLengthMax)) return { error: scopeInvalid }
  return scope !== undefined && principal.scopes.get(scope) === 'write' ? { scope } : { error: forbidden }
}

/**
 * The scope that a webhook's or an import's change goes to. It must be named, and be one that they
 * may write.
 */
export function authorizeNamed(
  { scope: named }: Pick<Change, 'scope'>,
  { scope: fallback, isAllowed, byToken }: Grant,
): Authorized {
  const scope = named ?? fallback
  if (scope === undefined) return { error: scopeMissing }
  if (!isName(scope, limits.scopeLengthMax)) return { error: scopeInvalid }
  return isAllowed(scope) ? { scope } : { error: byToken ? forbidden : sourceForbidden }
}

const scopeMissing = rejection('invalid_change', 'A change needs "scope", or there must be one for all.')
const scopeInvalid = rejection(
  'invalid_change',
  `"scope" must be text of 1 to ${limits.scopeLengthMax} characters without control characters.`,
)
const sourceForbidden = rejection('forbidden_scope', 'Changes from here may not write this scope.')

function firstScope({ scopes }: Principal): string | undefined {
  for (const scope of scopes.keys()) return scope
  return undefined
}

/** Whoever switches organisations has edits of the other one queued: its token will take them. */
const forbidden = rejection(
  'forbidden_scope',
  'The token does not allow to write this scope. Keep the change until there is one that does.',
  'with_another_token',
)
