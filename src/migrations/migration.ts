/**
 * One file of migrations/, `0002_add-notes`, or one of driftline's own: its statements without
 * semicolons.
 */
export interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}
