import type { TrialFailure } from '../rehearse-sql.ts'

/** Lost against another transaction: serialization failure, deadlock. */
const conflictStates = /^(40001|40P01)$/
/**
 * Away, restarting, out of connections, disk, memory or time, read only during a failover, or
 * rolled back by the server. XX000 is an internal error, which some extensions also raise for a
 * value: whether it is a change's fault shows when its neighbours pass.
 */
const transientStates = /^(08|53|57|58|F0|XX|40|55P03|25006|25P0[234])/
/**
 * The schema lacks what a statement names, or the role may not do it at all; 42501 is also row
 * level security's.
 */
const brokenStates = /^(42(?!501)|26|34|3D|3F|2[58]P|0P|0L)/

/** What an SQLSTATE means. */
export function kindOfState(code: string): TrialFailure['kind'] {
  if (conflictStates.test(code)) return 'conflict'
  if (transientStates.test(code)) return 'transient'
  return brokenStates.test(code) ? 'broken' : 'refused'
}
