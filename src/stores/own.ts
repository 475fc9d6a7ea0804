/**
 * What a store of one's own is made of: a dialect, what its database's errors mean, and what every
 * store does with its statements. `driftline/testing` holds it to the rest.
 */
export type { Dialect } from '../sql/dialect.ts'
export { postgres } from '../sql/postgres/dialect.ts'
export { sqlite } from '../sql/sqlite/dialect.ts'
export { sqliteObject } from '../sql/sqlite/object.ts'
export type { Cell, Cells, Statement, StoreLimits } from '../sql/statement.ts'
export { postgresFault, sqliteFault } from './fault.ts'
export { sqliteCode } from './sqlite-code.ts'
export {
  type BatchOptions,
  checkNumbers,
  type FaultKind,
  onePlace,
  type PlaceOf,
  pingStore,
  type Rehearsal,
  type Rehearsed,
  readsOnly,
  type Store,
  StoreFault,
} from './store.ts'
