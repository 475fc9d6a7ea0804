/** A JSON Schema, or another object of an OpenAPI document. */
export type Json = { readonly [member: string]: unknown }

export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

/** An object that has these members and no others. */
export function closed(properties: Json, required: readonly string[] = Object.keys(properties), more: Json = {}): Json {
  return {
    type: 'object',
    ...more,
    ...(required.length > 0 && { required }),
    properties,
    additionalProperties: false,
  }
}

/**
 * One of several schemas, which a member of theirs tells apart. `names` are schemas by the value of
 * that member.
 */
export function oneOf(propertyName: string, names: Readonly<Record<string, string>>, more: Json = {}): Json {
  const refs = Object.entries(names).map(([value, name]) => [value, ref(name)] as const)
  // Of none: nothing fits.
  if (refs.length === 0) return { ...more, not: {} }
  if (refs.length === 1) return { ...more, ...refs[0]?.[1] }
  const mapping = Object.fromEntries(refs.map(([value, { $ref }]) => [value, $ref]))
  return { ...more, oneOf: refs.map(([, one]) => one), discriminator: { propertyName, mapping } }
}
