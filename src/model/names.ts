/** What a table or column may be called. */
export const namePattern = /^[a-z][a-z0-9_]{0,62}$/
export const isName = (name: unknown): name is string => typeof name === 'string' && namePattern.test(name)

/**
 * Throws a `TypeError` where a new name cannot come from the old one that it says: that is there
 * still, or another comes from it too. An old name that no database has had is no fault: the new
 * one is then simply new.
 */
export function checkRenames(
  what: 'table' | 'column',
  renames: readonly (readonly [name: string, from: string])[],
  names: ReadonlySet<string>,
  prefix = '',
): void {
  const taken = new Map<string, string>()
  for (const [name, from] of renames) {
    if (!names.has(name)) throw new TypeError(`renamedFrom names ${name}, which is no ${what} of the schema`)
    if (!isName(from))
      throw new TypeError(`renamedFrom of ${name} must be the name that the ${what} had, such as 'todos'`)
    const says = `The ${what} ${prefix}${name} has renamedFrom '${from}'`
    if (names.has(from))
      throw new TypeError(
        `${says}, and ${prefix}${from} is in the schema too: take one of them away. Once the migration is written, renamedFrom may go`,
      )
    const other = taken.get(from)
    if (other !== undefined)
      throw new TypeError(`${says}, and so has ${prefix}${other}: only one can be the old ${what}`)
    taken.set(from, name)
  }
}

/** Throws a `TypeError` where what is said to be gone is there, or has another name now. */
export function checkRetired(
  what: 'table' | 'column',
  retired: readonly string[],
  names: ReadonlySet<string>,
  renamed: ReadonlySet<string>,
  prefix = '',
): void {
  for (const name of retired) {
    if (!isName(name)) throw new TypeError(`retired must name the ${what} that was there, such as 'color'`)
    if (names.has(name)) throw new TypeError(`The ${what} ${prefix}${name} is retired and in the schema: take one away`)
    if (renamed.has(name))
      throw new TypeError(
        `The ${what} ${prefix}${name} is retired, and renamedFrom says it has another name: take one away`,
      )
  }
}
