import { formatCursor } from '../model/cursor.ts'
import type { CursorEntry } from '../model/cursor-entry.ts'
import type { Rejection } from '../model/errors.ts'
import { rowBreak } from '../model/row-text.ts'
import type { Outcome } from '../model/stamp.ts'
import type { Tally, Verdict } from '../model/verdict.ts'

/** The answer to a pull; rows are JSON text as the database wrote them. */
export interface PullAnswer {
  /** The server's time in microseconds. */
  readonly now: number
  readonly page: Page
  /** Scopes of the cursor that the principal no longer has. */
  readonly removedScopes: readonly string[]
  /** How many rows were to come by the cursor, this page included, where that was asked for. */
  readonly rows?: number
}

/** The answer to a sync or a push, which has no page. */
export interface PushAnswer extends Omit<PullAnswer, 'page'> {
  readonly page: Page | undefined
  /** One for each change, in their order. */
  readonly verdicts: readonly Verdict[]
}

/** The answer to a webhook. */
export type ReceiveAnswer = Pick<PushAnswer, 'now' | 'verdicts'>

/** What became of a chunk of an import: counts, and what was rejected, by its index. */
export interface ImportAnswer {
  readonly tally: Tally
  readonly rejected: ReadonlyMap<number, Rejection>
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
 * Answers as the JSON text of the wire. Rows go through as the database wrote them, neither parsed
 * nor written again.
 */
export function pushToJson({ now, verdicts }: ReceiveAnswer): string {
  return `{"now":${now},${verdictsToJson(verdicts)}}`
}

export const syncToJson = (answer: PushAnswer): string => withCommas(syncText(answer))

export const pullToJson = (answer: PullAnswer): string => withCommas(pullText(answer))

/** The same as the bytes that are sent: a page in one piece, in a fraction of the time. */
export const syncToBytes = (answer: PushAnswer): Uint8Array<ArrayBuffer> => bytesWithCommas(syncText(answer))

export const pullToBytes = (answer: PullAnswer): Uint8Array<ArrayBuffer> => bytesWithCommas(pullText(answer))

/** The rows still stand in lines here. Nothing else of JSON text holds a raw line break. */
function syncText({ now, verdicts, page, removedScopes }: PushAnswer): string {
  const members = [`"now":${now}`, verdictsToJson(verdicts)]
  if (page) members.push(pageText(page, removedScopes))
  return `{${members.join(',')}}`
}

function pullText({ now, rows, page, removedScopes }: PullAnswer): string {
  const counted = rows === undefined ? '' : `"rows":${rows},`
  return `{"now":${now},${counted}${pageText(page, removedScopes)}}`
}

const withCommas = (text: string) => text.replaceAll(rowBreak, ',')

const encoder = new TextEncoder()
const [lineFeed, comma] = [0x0a, 0x2c]

/** In place: as a text it would be put together again of all its rows. */
function bytesWithCommas(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text)
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) bytes[at] = comma
  return bytes
}

const verdictsToJson = (verdicts: readonly Verdict[]) => `"verdicts":[${verdicts.map(verdictToJson).join(',')}]`

function pageText(page: Page, removedScopes: readonly string[]): string {
  const members = `"changes":[${page.rows}],${pageEnd(page)}`
  return removedScopes.length > 0 ? `${members},"removed_scopes":${JSON.stringify(removedScopes)}` : members
}

/** The two members that end a page, in an answer and in a line of a stream. */
function pageEnd({ cursor, more }: Page): string {
  return `"cursor":${JSON.stringify(formatCursor(cursor))},"more":${more}`
}

/**
 * A page as lines of a stream: a change a line, as the page holds them, and after them the cursor
 * that goes on from there.
 */
export function pullToLines({ page, removedScopes }: PullAnswer): string {
  const rows = page.rows === '' ? '' : `${page.rows}${rowBreak}`
  const removed = removedScopes.length > 0 ? `,"removed_scopes":${JSON.stringify(removedScopes)}` : ''
  return `${rows}{${pageEnd(page)}${removed}}\n`
}

/** The line that a stream begins with: how many rows are to come, and the server's time. */
export const rowsLine = (rows: number, now?: number) => `${JSON.stringify({ rows, now })}\n`

/** As `JSON.stringify` writes it, in a third of the time: there is one for each change. */
function outcomeToJson(outcome: Outcome): string {
  if (outcome.verdict === 'rejected') return JSON.stringify(outcome)
  if (outcome.verdict === 'applied') {
    const lost = outcome.lost ? `,"lost":${JSON.stringify(outcome.lost)}` : ''
    return `{"verdict":"applied","action":"${outcome.action}"${lost}}`
  }
  return `{"verdict":"${outcome.verdict}"}`
}

function verdictToJson(verdict: Verdict): string {
  const { current, ...rest } = verdict
  const head = outcomeToJson(rest)
  return current === undefined ? head : `${head.slice(0, -1)},"current":${current}}`
}
