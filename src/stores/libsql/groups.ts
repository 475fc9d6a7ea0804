import type { Cells, Statement } from '../../sql/statement.ts'
import { StoreFault } from '../store.ts'

/** What came of a batch: its rows, or why it was undone. */
export type Outcome = readonly Cells[][] | StoreFault

/** Batches that are committed together: so many, and so much text in their parameters. */
const batchesMax = 16
const textMax = 256 * 1024

/** Gathers the batches that wait for a file, so that they share a commit. */
export interface Groups {
  /** Waits for the turn of its group, and for what came of the batch there. */
  add(statements: readonly Statement[]): Promise<Cells[][]>
  /** Whoever comes next waits behind what takes a turn of its own now. */
  end(): void
}

interface Group {
  readonly batches: (readonly Statement[])[]
  text: number
  readonly outcomes: Promise<readonly Outcome[]>
}

/**
 * A commit waits for the disk, which takes longer than what a small push writes. Those that come
 * while another one is at work wait together and are committed together, each acknowledged when the
 * disk has all of them. Only the last group takes more in: nobody overtakes. `write` waits for a
 * turn and then calls back for the batches, which are all by then.
 */
export function createGroups(
  write: (batches: () => readonly (readonly Statement[])[]) => Promise<readonly Outcome[]>,
): Groups {
  let last: Group | undefined

  function start(): Group {
    const batches: (readonly Statement[])[] = []
    const outcomes = write(() => {
      if (last === group) last = undefined
      return batches
    })
    const group: Group = { batches, text: 0, outcomes }
    return group
  }

  return {
    async add(statements) {
      const text = textOf(statements)
      if (!last || last.batches.length >= batchesMax || last.text + text > textMax) last = start()
      const group = last
      group.text += text
      const place = group.batches.push(statements) - 1
      const outcome = (await group.outcomes)[place]
      if (outcome === undefined || outcome instanceof StoreFault) throw outcome
      return outcome as Cells[][]
    },
    end() {
      last = undefined
    },
  }
}

function textOf(statements: readonly Statement[]): number {
  let text = 0
  for (const { params } of statements) for (const value of params) if (typeof value === 'string') text += value.length
  return text
}
