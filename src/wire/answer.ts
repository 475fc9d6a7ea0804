import { formatCursor } from '../model/cursor.ts'
import type { CursorEntry } from '../model/cursor-entry.ts'
import type { Rejection } from '../model/errors.ts'
import { rowBreak } from '../model/row-text.ts'
import type { Outcome } from '../model/stamp.ts'
import type { Tally, Verdict } from '../model/verdict.ts'

/**
 * The answer to a sync, a push (no page) or a pull (no verdicts); rows are JSON text as the
 * database wrote them.
 */
export interface SyncAnswer {
  /** The server's time in microseconds. */
  readonly now: number
  readonly verdicts: readonly Verdict[]
  /** Of an import, whose verdicts are counted: what was rejected, by its index. */
  readonly bulk?: Tally & { readonly rejections: Readonly<Record<number, Rejection>> }
  readonly page: Page | undefined
  /** Scopes of the cursor that the principal no longer has. */
  readonly removedScopes: readonly string[]
}

/** A page over all scopes of a request. */
export interface Page {
  readonly count: number
  /** Each scope's changes in position order, as JSON text, a line each. */
  readonly rows: string
  readonly cursor: ReadonlyMap<string, CursorEntry>
  readonly more: boolean
}

/**
 * An answer as the JSON text of the wire. Rows go through as the database wrote them, neither
 * parsed nor written again.
 */
export function answerToJson(answer: SyncAnswer, part: 'sync' | 'push' | 'pull'): string {
  const members = [`"now":${answer.now}`]
  if (part !== 'pull') members.push(`"verdicts":[${answer.verdicts.map(verdictToJson).join(',')}]`)
  if (part !== 'push' && answer.page) {
    members.push(`"changes":[${answer.page.rows.replaceAll(rowBreak, ',')}]`, pageEnd(answer.page))
    if (answer.removedScopes.length > 0) members.push(`"removed_scopes":${JSON.stringify(answer.removedScopes)}`)
  }
  return `{${members.join(',')}}`
}

/** The two members that end a page, in an answer and in a line of a stream. */
function pageEnd({ cursor, more }: Page): string {
  return `"cursor":${JSON.stringify(formatCursor(cursor))},"more":${more}`
}

/**
 * A page as lines of a stream: a change a line, as the page holds them, and after them the cursor
 * that goes on from there.
 */
export function answerToLines({ page, removedScopes }: SyncAnswer): string {
  if (!page) return ''
  const rows = page.rows === '' ? '' : `${page.rows}${rowBreak}`
  const removed = removedScopes.length > 0 ? `,"removed_scopes":${JSON.stringify(removedScopes)}` : ''
  return `${rows}{${pageEnd(page)}${removed}}\n`
}

/** The line that a stream begins with: how many rows are to come. */
export const rowsLine = (rows: number) => `{"rows":${rows}}\n`

/** As `JSON.stringify` writes it, in a third of the time: there is one for each change. */
function outcomeToJson(outcome: Outcome): string {
  if (outcome.verdict === 'rejected') return JSON.stringify(outcome)
  if (outcome.verdict === 'applied') return `{"verdict":"applied","action":"${outcome.action}"}`
  return `{"verdict":"${outcome.verdict}"}`
}

function verdictToJson(verdict: Verdict): string {
  const { current, ...rest } = verdict
  const head = outcomeToJson(rest)
  return current === undefined ? head : `${head.slice(0, -1)},"current":${current}}`
}
