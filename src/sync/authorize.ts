import { type Rejection, rejection } from '../errors.ts'
import type { Change } from './change.ts'

export type Access = 'read' | 'write'

/** The authenticated caller. The first scope is where a change without one goes. */
export interface Principal {
  readonly subject: string
  readonly scopes: ReadonlyMap<string, Access>
}

export type Authorized =
  | { readonly scope: string; readonly error?: never }
  | { readonly error: Rejection; readonly scope?: never }

/** The scope that a change goes to. The refusal is worded the same whether or not the scope exists (P11). */
export function authorizeChange(change: Change, principal: Principal): Authorized {
  const scope = change.scope ?? firstScope(principal)
  return scope !== undefined && principal.scopes.get(scope) === 'write' ? { scope } : { error: forbidden }
}

function firstScope({ scopes }: Principal): string | undefined {
  for (const scope of scopes.keys()) return scope
  return undefined
}

const forbidden = rejection('forbidden_scope', 'The token does not allow to write this scope.')
