import { createBoundedMap } from '../../model/bounded-map.ts'

/** Statements that a connection keeps prepared, and those that were seen once. */
const namedMax = 200
const seenMax = 1_000
/** What is longer holds values, as the block of a rehearsal does, and does not come again. */
const textLengthMax = 100_000

/** The names of the statements of one connection. */
export interface Names {
  /** The name of a statement, and whether the server knows it. Undefined: it has none. */
  nameOf(sql: string): Name | undefined
  /** The server has parsed it. */
  parsed(sql: string): void
}

export interface Name {
  readonly name: string
  readonly isParsed: boolean
}

/** Of all connections of a store. */
export interface Prepared {
  /**
   * The names of a connection, by the number that the server gave to it when it was opened.
   * Undefined as long as `isDirect` has not been told of it, and behind a pooler.
   */
  namesOf(connection: object): Names | undefined
  /** Whether it is not known yet who answers on a connection. */
  asks(connection: object): boolean
  /** The server that answers is the one to which the connection was made, or another one. */
  learn(connection: object, isDirect: boolean): void
  /** Whether a statement failed only because it was prepared, and the same will work now. */
  isOutdated(error: unknown): boolean
}

/**
 * Planning takes most of the time of a small push, so statements that come again are prepared: see
 * `npm run bench -- --only small`. A pooler gives each transaction another server, which knows no
 * name, so it is asked once for each connection whether who answers is who took it. Nothing else
 * that a session holds is relied on: the settings still come with each batch.
 */
export function createPrepared(): Prepared {
  const seen = createBoundedMap<string, true>(seenMax)
  /** Null: no names. A change of the schema begins another generation. */
  let connections = new WeakMap<object, Names | null>()
  let isTaken = true

  function openNames(): Names {
    const names = new Map<string, { name: string; isParsed: boolean }>()
    return {
      nameOf(sql) {
        const known = names.get(sql)
        if (known) return known
        if (sql.length > textLengthMax) return undefined
        if (!seen.get(sql)) {
          seen.set(sql, true)
          return undefined
        }
        if (names.size >= namedMax) return undefined
        const made = { name: `driftline_${names.size}`, isParsed: false }
        names.set(sql, made)
        return made
      },
      parsed(sql) {
        const known = names.get(sql)
        if (known) known.isParsed = true
      },
    }
  }

  return {
    namesOf: (connection) => connections.get(connection) ?? undefined,
    asks: (connection) => isTaken && !connections.has(connection),
    learn(connection, isDirect) {
      connections.set(connection, isDirect && isTaken ? openNames() : null)
    },
    isOutdated(error) {
      const { code, routine } = Object(error) as Readonly<Record<string, unknown>>
      // The connection is thrown away: a column has another type than when it was prepared.
      if (code === '0A000' && routine === 'RevalidateCachedQuery') return true
      if (code !== '26000' && code !== '42P05') return false
      // Somebody in between says that he is the server, and is not.
      isTaken = false
      connections = new WeakMap()
      return true
    },
  }
}
