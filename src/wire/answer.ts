import { formatCursor } from '../model/cursor.ts'
import type { Outcome } from '../model/stamp.ts'
import { type Page, rowBreak } from '../sync/pull/join-pages.ts'
import type { Verdict } from '../sync/push/reconcile.ts'
import type { SyncAnswer } from '../sync/sync.ts'

/** An answer as the JSON text of the wire. Rows go through as the database wrote them, neither parsed nor written again. */
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

/** A page as lines of a stream: a change a line, as the page holds them, and after them the cursor that goes on from there. */
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
