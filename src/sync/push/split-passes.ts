import { type Change, isStampless } from '../../model/change.ts'
import { counterEdits, hasMerging, hasRules, isCounter, isMerged, mergeValues } from '../../model/merge.ts'
import { isPartial } from '../../model/view.ts'
import { hasSameKeys, saysKey } from './unique-keys.ts'

/**
 * A patch and, after it in the list, a put or delete with the very same stamp: where the patch
 * finds a row it wins and the other is its duplicate; where it finds none it is rejected and the
 * other applies. Which of them it is, only the database knows, so what begins with the other goes
 * into a second pass of the same transaction. Clients that stamp each change anew never see this.
 * Changes without a stamp have a pass of their own as well, after all others of the row. And so has
 * a put behind a delete where the app does not know all columns: it leaves those as they are, and
 * the delete has emptied them.
 */
export function splitPasses(row: readonly Change[]): Change[][] {
  const parts: Change[][] = []
  let part: Change[] = []
  let met = meetNothing()
  for (const change of row) {
    if (part.length === 0 || beginsPass(change, part, met)) {
      part = []
      parts.push(part)
      met = meetNothing()
    }
    part.push(change)
    meet(met, change)
  }
  return parts
}

/**
 * What the changes of a pass have in them that others meet. Thousands may be of one row: none looks
 * at all before it.
 */
interface Met {
  /** The places of counters that something was added to. */
  readonly added: Set<number>
  /** Something that a put cannot stand behind, whatever it holds. */
  stays: boolean
  /** The last put. What it holds was held against the puts before it. */
  put: Change | undefined
}

const meetNothing = (): Met => ({ added: new Set(), stays: false, put: undefined })

function meet(met: Met, change: Change): void {
  const { op, table, values, created } = change
  if (!hasRules(table)) return
  const edits = counterEdits(change)
  for (const [place, edit] of edits) if ('add' in edit) met.added.add(place)
  if (op === 'put') met.put = change
  const isMet = op === 'patch' && table.columns.some((column, place) => isMerged(column) && values[place] !== undefined)
  if (op === 'delete' || created || edits.length > 0 || isMet) met.stays = true
}

/** Whether a change cannot go with those before it. */
function beginsPass(change: Change, part: readonly Change[], met: Met): boolean {
  const { table } = change
  const before = part.at(-1)
  if (!before) return false
  const isBehindPatch = before.at === change.at && before.op === 'patch' && change.op !== 'patch'
  const isRevival = before.op === 'delete' && change.op === 'put' && isPartial(change.table)
  if (isBehindPatch || isRevival || (isStampless(change) && !isStampless(before))) return true
  // Whether the row is as it was seen, and whether there is one, is asked once those before are
  // done.
  if (change.if || before.if || change.created) return true
  // Whether its key is taken decides over the change, and over no other.
  if (table.unique.length > 0) {
    if (saysKey(change) && (editsBeside(change) || !hasSameKeys(before, change))) return true
    if (saysKey(before) && editsBeside(before)) return true
    if (before.op === 'patch' && change.op === 'patch' && saysKey(before)) return true
  }
  return hasRules(table) && meetsByItself(change, part, met)
}

/**
 * Where columns meet by rules what comes before a put or delete may count beside it (MERGE 6). So a
 * delete begins a pass, which may lose where an older change does not; and a put that stands behind
 * what would stay if the row lived and would not against a tombstone between the two. A counter is
 * set before anything is added to it.
 */
function meetsByItself(change: Change, part: readonly Change[], { added, stays, put }: Met): boolean {
  const { op, table } = change
  // What merges may count beside a change of the very same stamp.
  if (part.at(-1)?.at === change.at) return true
  if (op === 'delete') return true
  if (op === 'patch') return counterEdits(change).some(([place, edit]) => 'set' in edit && added.has(place))
  if (!hasMerging(table) && !table.columns.some(({ filled }) => filled)) return false
  return stays || (put !== undefined && staysBeside(put, change))
}

const editsBeside = (change: Change) => counterEdits(change).length > 0

/** Whether something of a put would stay beside one behind it. */
function staysBeside(before: Change, put: Change): boolean {
  return put.table.columns.some((column, place) => {
    const value = before.values[place]
    if (value === undefined) return false
    if (isCounter(column)) return value !== put.values[place]
    return isMerged(column) && mergeValues(column, value, put.values[place]) !== put.values[place]
  })
}
