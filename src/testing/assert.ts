import { deepStrictEqual } from 'node:assert/strict'

/** The assertions of the checks: their errors show both sides, as any runner prints them. */
export function equal(actual: unknown, expected: unknown): void {
  deepStrictEqual(actual, expected)
}

/** What is expected is all there; objects may have more members, at any depth. */
export function includes(actual: unknown, expected: unknown): void {
  equal(partOf(actual, expected), expected)
}

/** The promise fails, with an error of which all this is there. Gives the error. */
export async function fails(promise: Promise<unknown>, expected: object): Promise<Error> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Error)) throw new Error(`It should have failed with ${JSON.stringify(expected)}`)
  // By its own members, for `name` and `message` of an error are none that a comparison looks at.
  includes({ ...error, name: error.name, message: error.message }, expected)
  return error
}

/** Of a value what the other one names. */
function partOf(value: unknown, other: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(other)) return value.map((one, place) => partOf(one, other[place]))
  if (!isObject(value) || !isObject(other) || Array.isArray(value) || Array.isArray(other)) return value
  const names = Object.keys(other).filter((name) => name in value)
  return Object.fromEntries(names.map((name) => [name, partOf(value[name], other[name])]))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
