import type { LiveNamespace } from '../../live/workers/object-live.ts'
import type { D1Binding } from '../../stores/d1.ts'
import type { ScopeNamespace } from '../../stores/durable-object.ts'
import type { Environment } from '../environment.ts'

/** Settings and secrets by name, and the bindings of wrangler.toml. */
export type WorkerEnv = Environment & {
  readonly SCOPES?: ScopeNamespace
  readonly LIVE?: LiveNamespace
  /** A D1 database. */
  readonly DB?: D1Binding
  readonly HYPERDRIVE?: { readonly connectionString: string }
  readonly ASSETS?: Assets
}

/** What the worker needs of the binding of its static files. */
export interface Assets {
  fetch(url: string): Promise<Pick<Response, 'ok' | 'body'>>
}
