import { isInexact } from '../../model/exact.ts'
import { PayloadFault } from '../../model/payload-fault.ts'
import type { PutRow, Schema, TableName } from '../../model/table.ts'
import { isObject } from '../../model/untrusted.ts'

/** An object of someone else's JSON. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * What a mapping's `row` gives: the row of a put and no column more. Without the last part a
 * function may return an object with columns that the table does not have, and TypeScript would say
 * nothing.
 */
export type ExactRow<S extends Schema, Name extends TableName<S>, Given> = Given &
  PutRow<S, Name> & { readonly [C in Exclude<keyof Given, keyof PutRow<S, Name>>]: never }

/**
 * The object at `where` of a payload. Reading a member that it lacks throws a `PayloadFault` that
 * names it, so that a payload in another form never becomes a row with holes. A member that may be
 * absent is asked for by `in` first.
 */
export function readObject(value: unknown, where: string, advice = ''): JsonObject {
  if (!isObject(value)) throw new PayloadFault(`${where} must be an object.${advice}`)
  return new Proxy(value, {
    get(members, name) {
      if (typeof name === 'symbol' || name === 'toJSON' || Object.hasOwn(members, name))
        return Reflect.get(members, name)
      throw new PayloadFault(`${where}.${name} is missing.${advice}`)
    },
  })
}

/** The text at `where`. */
export function readText(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new PayloadFault(`${where} must be text.`)
  return value
}

/**
 * The row's id at `where`. Databases also count: an integer is taken as its digits, however many it
 * has in the payload.
 */
export function readId(value: unknown, where: string): string {
  if (Number.isSafeInteger(value)) return String(value)
  if (isInexact(value) && /^-?\d+$/.test(String(value))) return String(value)
  if (typeof value === 'number') throw new PayloadFault(`${where} must be an integer below 2^53. Send it as text.`)
  if (typeof value !== 'string') throw new PayloadFault(`${where} must be text or an integer.`)
  return value
}

/**
 * Refuses what no such option is, and a table that the schema does not have: JavaScript has no
 * other check.
 */
export function checkOptions(schema: Schema, options: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new TypeError(`${where} has no option ${key}; it takes ${known.join(', ')}`)
  }
  const { table } = options as { table?: unknown }
  if (typeof table !== 'string' || !schema.tablesByName.has(table)) {
    throw new TypeError(`${where}: table must be one of ${[...schema.tablesByName.keys()].join(', ')}`)
  }
}
