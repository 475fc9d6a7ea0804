export type Access = 'read' | 'write'

/** The authenticated caller. The first scope is where a change without one goes. */
export interface Principal {
  readonly subject: string
  readonly scopes: ReadonlyMap<string, Access>
}
