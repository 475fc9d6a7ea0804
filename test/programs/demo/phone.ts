import type { ChangeInput, ChangeVerdict, PullOutput, PushOutput, StoredChange } from '../../../src/sync/create-sync.ts'
import type { demoSchema } from './schema.ts'

type Tables = typeof demoSchema
export type PhoneChange = ChangeInput<Tables>
/** What became of one change of the outbox. */
export interface Settled {
  readonly change: PhoneChange
  readonly verdict: ChangeVerdict<Tables>
}

/**
 * The least client that is correct: rows, an outbox, a cursor and a clock. What a real app keeps in
 * its own database.
 */
export class Phone {
  readonly name: string
  readonly rows = new Map<string, StoredChange<Tables>>()
  readonly #url: string
  readonly #token: string
  readonly #clockErrorMs: number
  #outbox: PhoneChange[] = []
  #cursor: string | null = null
  #lastStamp = 0

  constructor(name: string, url: string, token: string, clockErrorMs = 0) {
    this.name = name
    this.#url = url
    this.#token = token
    this.#clockErrorMs = clockErrorMs
  }

  /**
   * A hybrid logical clock: the wall clock in microseconds, and always later than the last stamp
   * and than every stamp that came in: whoever edits a row that they have seen wins over it,
   * however slow their clock.
   */
  stamp(): number {
    this.#lastStamp = Math.max((Date.now() + this.#clockErrorMs) * 1000, this.#lastStamp + 1)
    return this.#lastStamp
  }

  /** Edits a row while offline. The stamp is taken now, not when the phone is back. */
  edit(change: PhoneChange): void {
    this.#outbox.push(change)
  }

  /**
   * Sends the outbox and takes what others wrote, until there is no more. A change leaves the
   * outbox with its verdict.
   */
  async sync(): Promise<Settled[]> {
    const settled: Settled[] = []
    for (let more = true; more; ) {
      const changes = this.#outbox.slice(0, 1000)
      const answer = await this.#post({ client: this.name, cursor: this.#cursor, limit: 5000, changes })
      this.#outbox = this.#outbox.slice(changes.length)
      for (const [index, verdict] of answer.verdicts.entries()) {
        const change = changes[index]
        if (change) settled.push({ change, verdict })
        if ('current' in verdict && verdict.current) this.#take(verdict.current)
      }
      for (const change of answer.changes) this.#take(change)
      this.#cursor = answer.cursor
      more = answer.more || this.#outbox.length > 0
    }
    return settled
  }

  #take(change: StoredChange<Tables>): void {
    this.#lastStamp = Math.max(this.#lastStamp, change.at)
    const key = `${change.table}/${change.id}`
    if (change.op === 'delete') this.rows.delete(key)
    else this.rows.set(key, change)
  }

  async #post(body: object): Promise<PushOutput<Tables> & PullOutput<Tables>> {
    const response = await fetch(`${this.#url}/v1/sync`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
    return response.json() as Promise<PushOutput<Tables> & PullOutput<Tables>>
  }
}
