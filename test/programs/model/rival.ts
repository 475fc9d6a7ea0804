import pg from 'pg'

/**
 * Another session of a Postgres, which holds a row and writes nothing: whoever wants the row stops
 * half way.
 */
export interface Rival {
  hold(row: { readonly table: string; readonly scope: string; readonly id: string }): Promise<void>
  /**
   * Until some session waits for a lock, the work is done, or nothing has happened for a little.
   */
  untilBlocked(work: Promise<unknown>): Promise<void>
  release(): Promise<void>
  close(): Promise<void>
}

/** Neither is likely to be seen later if it was not seen by then. */
const waitMsMax = 40

export async function connectRival(url: string): Promise<Rival> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  let blockedBefore = 0
  const blocked = async () => {
    const { rows } = await client.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows[0].n as number
  }
  return {
    async hold({ table, scope, id }) {
      blockedBefore = 0
      await client.query('BEGIN')
      await client.query(
        `INSERT INTO ${table} AS t (scope, id, updated_at, updated_by, deleted, position, created_position)
         VALUES ($1, $2, 1, '-', true, 0, 0) ON CONFLICT (scope, id) DO UPDATE SET position = t.position`,
        [scope, id],
      )
    },
    async untilBlocked(work) {
      let isDone = false
      void work.then(() => {
        isDone = true
      })
      for (const until = Date.now() + waitMsMax; !isDone && Date.now() < until; ) {
        const now = await blocked()
        if (now > blockedBefore) {
          blockedBefore = now
          return
        }
      }
    },
    async release() {
      await client.query('ROLLBACK')
    },
    close: () => client.end(),
  }
}
