import type { Schema } from '../../model/table.ts'
import type { adoptedSteps, planAdopted, planHold } from '../push/plan-adopted.ts'
import type { againstApp } from './against-app.ts'

/** What a push does of tables that are adopted, see `SqlEngine`. */
export interface SyncEngine {
  readonly adoptedSteps: typeof adoptedSteps
  readonly planAdopted: typeof planAdopted
  readonly planHold: typeof planHold
  readonly againstApp: typeof againstApp
}

/** Undefined: the schema adopts no table. */
export const syncEngineOf = ({ tables }: Schema): SyncEngine | undefined =>
  tables.find(({ adopted }) => adopted)?.adopted?.engine as SyncEngine | undefined
