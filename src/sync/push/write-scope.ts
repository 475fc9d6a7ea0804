import type { Change } from '../../model/change.ts'
import type { Rejection } from '../../model/errors.ts'
import { markerIn } from '../../sql/markers.ts'
import { StoreFault } from '../../stores/store.ts'
import type { Call } from '../call.ts'
import { readHeads } from '../pull/read-scopes.ts'
import { throwResync } from '../resync.ts'
import type { Rejections } from './admitted.ts'
import { throwAtomic } from './atomic.ts'
import { attempt, type Done, type ScopeWrite } from './attempt.ts'
import { findExpired } from './expired.ts'
import { oldEdits } from './old-edits.ts'
import { isRefusal, isSuspect } from './refusals.ts'

/** What came of a write. */
export interface Written {
  /** Absent where nothing was left to write. */
  readonly done?: Done
  /** A webhook took effect before, and so nothing was written now. */
  readonly repeated?: true
  readonly rejected: Rejections
}

/**
 * How often a change set is written that the database refuses each time, and takes whenever it is
 * tried.
 */
const writesMax = 5

/**
 * Writes what the database takes of a scope's changes. What it refuses is searched for and left
 * out, and the rest is written, in the order and in the parts in which it is taken.
 */
export async function writeScope(
  call: Call,
  write: ScopeWrite,
  changes: readonly Change[],
  ofParts: readonly (readonly Change[])[] = [changes],
): Promise<Written> {
  const { scope, client, atomic, cursor, room } = write
  const refusals = call.refusalsOf(client)
  const rejected = new Map<number, Rejection>()
  const isLeft = ({ index }: Change) => !rejected.has(index)
  const reject = (more: Rejections) => {
    for (const [index, error] of more) rejected.set(index, error)
    accepted = accepted.filter(isLeft)
    parts = parts.map((part) => part.filter(isLeft))
  }
  let accepted = changes
  // Where the database takes the changes one part after the other and not together, the parts.
  let parts = ofParts
  let found: readonly (readonly Change[])[] = []
  const old = oldEdits(changes, call.receivedAt)
  if (old.length > 0) {
    const expired = await findExpired(call, scope, old)
    if (atomic && expired.size > 0) throwAtomic(expired)
    reject(expired)
  }
  if (room) reject((await room.before(accepted)).rejected)
  for (let writes = 1; ; writes++) {
    // Whatever is refused: with nothing left there is nothing to write.
    if (accepted.length === 0) return { rejected }
    try {
      return { done: await attempt(call, write, accepted, parts, rejected), rejected }
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault
      const marker = markerIn(fault.message, call.sql.nonce)
      if (room && marker === 'driftline_full') {
        reject((await room.look(accepted)).rejected)
        // Nothing was refused: it was not known whether there is room.
        writes--
        continue
      }
      if (marker === 'driftline_resync') {
        throwResync(cursor, await readHeads(call, [scope, ...(write.beside?.scopes ?? [])], cursor))
      } else if (marker === 'driftline_repeated') return { repeated: true, rejected }
      // What is forgotten only now is looked for again.
      else if (marker === 'driftline_expired') throw new StoreFault('transient', fault)
      else if (marker === undefined && !isRefusal(fault) && !isSuspect(fault)) throw fault
      // Whoever is refused again and again, or resynced and then not, meets a database that changes
      // meanwhile.
      if (writes === writesMax) {
        if (marker !== undefined || fault.kind !== 'refused')
          throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
        const given = refusals.giveUp(accepted, fault)
        if (atomic) throwAtomic(given)
        reject(given)
      } else if (marker === 'driftline_resync') {
        // The scope is as the cursor has it again.
      } else if (atomic) {
        const searched = await refusals.findAtomic(scope, accepted, fault)
        throwAtomic(searched.rejected)
        if (searched.parts.length > 0) parts = searched.parts
      } else if (found.length > 1) {
        // What passes alone does not pass together.
        parts = found
        found = []
      } else {
        const searched = await refusals.find(scope, accepted, fault)
        reject(searched.rejected)
        // Nothing was refused: it is the order that matters.
        const isOrder = searched.rejected.size === 0
        parts = isOrder ? searched.parts : [accepted]
        found = isOrder ? [] : searched.parts
      }
    }
  }
}
