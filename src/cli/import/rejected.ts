import type { RejectedLine } from '../../bulk/rejected.ts'
import type { ImportOptions } from './options.ts'

/** Rejected lines that are shown; all of them are in the file. */
const shownMax = 5

/**
 * What is remembered of rejected lines, however many there are: the first, and of what kind all
 * are.
 */
export class RejectedSample {
  readonly shown: RejectedLine[] = []
  /** Whether one of them can be written as it came. */
  hasText = false
  #count = 0
  #changes = 0
  #rows = 0
  #unknownColumns = 0
  #values = 0
  #scopeless = 0

  add(lines: readonly RejectedLine[]): void {
    this.shown.push(...lines.slice(0, shownMax - this.shown.length))
    this.#count += lines.length
    for (const { error, text } of lines) {
      const { code, detail } = error
      this.hasText ||= text !== undefined
      if (/no column "(op|table|at|scope|row)"|^"(op|table|row)" stands for no column/.test(detail)) this.#changes++
      if (code === 'unknown_table' || code === 'unknown_op' || /^A change (has no member|needs "row")/.test(detail))
        this.#rows++
      if (code === 'unknown_column') this.#unknownColumns++
      if (code === 'invalid_value') this.#values++
      if (/^A change needs "scope"/.test(detail)) this.#scopeless++
    }
  }

  /** What may be wrong with the options, where every line was rejected for one reason. */
  hint({ format, rows, from, mapping }: ImportOptions): string | undefined {
    const isAll = (count: number) => count > 0 && count === this.#count
    if (mapping)
      return isAll(this.#scopeless)
        ? 'Say whose rows they are: --scope alice, or a "scope" in what the mapping gives.'
        : undefined
    if (format === 'csv') return undefined
    if (rows && isAll(this.#changes))
      return 'With --at each line is a row, an id and columns. Leave it out where the lines are changes.'
    if (!rows && isAll(this.#rows))
      return 'Without --at each line is a change. Where the lines are rows, an id and columns, say --table todos --at now.'
    if (rows && isAll(this.#unknownColumns))
      return 'Say which column such a member stands for, --map column=member, or pass over it: --ignore member.'
    if (rows && !from && isAll(this.#values))
      return 'Where numbers, truth values or times are written as text, or texts as numbers, add --from json.'
    return undefined
  }
}
