import type { CursorEntry } from '../../model/cursor-entry.ts'
import type { Table } from '../../model/table.ts'
import type { Statement } from '../../sql/statement.ts'
import type { Return } from '../../wire/request.ts'
import type { InboxEntry } from './inbox/inbox.ts'

/** What the rows of a statement are to `reconcile`. */
export type Role =
  | { readonly kind: 'head' | 'guard' | 'claim' | 'settle' }
  | { readonly kind: 'states' | 'results' | 'known' | 'taken'; readonly table: Table; readonly pass: number }
  | { readonly kind: 'settled'; readonly table: Table }
  | { readonly kind: 'tally'; readonly table: Table; readonly count: number }

export type Planned = Statement & { readonly role: Role }

/**
 * A statement that writes down whom to tell of the push. Its parameters come after the scope and n.
 * `settled`: of what the app's own SQL had touched, with parameters after the scope.
 */
export type Recording = Statement & { readonly settled?: Statement }

/** What a push to a scope at a time, in microseconds, is to record. */
export type Recorder = (scope: string, at: number) => readonly Recording[]

/**
 * No answer may fill the memory. That so many of the largest row ever written to the scope fit
 * costs nothing to know, and is true of nearly all pushes; where it is not, the batch is sent again
 * and weighs the rows that it is about.
 */
export interface AnswerBound {
  readonly bytesMax: number
  readonly weigh: boolean
}

/**
 * How far a scope's position may be past the one at which its rows were counted, so that it cannot
 * hold too much: each position since then is one row at the most, of twice the size of its largest.
 * Costs no statement.
 */
export interface RoomBound {
  readonly at: number
  readonly rows: number
  readonly bytes: number
  /** The positions of this write are not counted: it is known what they bring. */
  readonly isOwnKnown: boolean
}

export interface LockOptions {
  /** Drawn at random; becomes the scope's incarnation if this write is its first. */
  readonly incarnation: string
  readonly room?: RoomBound | undefined
}

export interface PushOptions extends LockOptions {
  readonly client: string
  readonly return: Return
  readonly atomic: boolean
  /** The scope's part of the request's cursor, which gates the write. */
  readonly entry: CursorEntry | undefined
  /** The server's time in microseconds, the stamp of changes that have none. */
  readonly receivedAt: number
  /** The write is a webhook's, whose source is the client. */
  readonly inbox?: InboxEntry | undefined
  /**
   * Of a webhook: its verdicts are known only by the rows that come of it, as those of a push are.
   */
  readonly isJudged?: boolean
  /** How large the rows may be that the verdicts repeat: beyond it the batch undoes itself. */
  readonly answer: AnswerBound
  readonly recordings?: readonly Recording[]
}
