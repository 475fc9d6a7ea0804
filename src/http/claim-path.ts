/**
 * A step into claims: a member by its name, each item of an array or member of an object, the names
 * of an object.
 */
export type Step = { readonly member: string } | 'each' | 'keys'

/**
 * Where in a token's claims something stands, as a setting spells it: `o.id`, `orgs.*.id`,
 * `org:{o.id}`.
 */
export interface ClaimPath {
  /** As it is spelled, for whoever reads a fault. */
  readonly text: string
  /** What stands before each value. */
  readonly prefix: string
  readonly steps: readonly Step[]
}

/**
 * What users write into their own tokens: scopes from there would be granted by whoever wants them.
 */
const byUsers = /^(user_?metadata|unsafe_?metadata)$/i
/** What an app may do for a user, the same for all users of it. */
const permissions = /^(scope|scp|permissions)$/

/**
 * Paths between commas. The names of members stand between dots, and in brackets where they hold
 * dots or commas
 * themselves: `[https://example.com/teams]`. `*` is each item of an array or each member of an
 * object, `keys()` the
 * names of an object.
 *
 * @throws TypeError that says what to write
 */
export function parsePaths(setting: string, text: string): readonly ClaimPath[] {
  const items = text.match(/(?:\[[^\]]*\]|[^,[])+|\[/g) ?? []
  const paths = items
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => parsePath(setting, item))
  if (paths.length === 0) throw malformedPath(setting)
  for (const { steps } of paths) {
    const [first] = steps
    if (steps.length === 1 && typeof first === 'object' && permissions.test(first.member)) {
      throw new TypeError(
        `${setting} names the claim ${first.member}, which says what an app may do for every user of it: rows shared by it would be shared by strangers. Name the claim that holds the teams or organisations of a user`,
      )
    }
  }
  return paths
}

/** One path that leads to one value. */
export function parseSinglePath(setting: string, text: string): ClaimPath {
  const path = parsePath(setting, text.trim())
  if (path.prefix !== '' || path.steps.some((step) => typeof step === 'string'))
    throw new TypeError(`${setting} must be the name of one claim, such as user_id or [https://example.com/user].id`)
  return path
}

function parsePath(setting: string, text: string): ClaimPath {
  const [, prefix = '', inner, plain] = /^(?:([^{}]*)\{([^{}]*)\}|([^{}]*))$/.exec(text) ?? []
  const path = inner ?? plain
  if (path === undefined) throw malformedPath(setting)
  if (/[^\]]:\/\//.test(path.replace(/\[[^\]]*\]/g, '')))
    throw new TypeError(
      `${setting}: the name of a claim with dots in it stands in brackets: [https://example.com/teams]`,
    )
  const steps = toSteps(path)
  if (!steps) throw malformedPath(setting)
  const [first] = steps
  if (typeof first === 'object' && byUsers.test(first.member)) {
    throw new TypeError(
      `${setting} names ${first.member}, which users write themselves: they would grant themselves any scope. Take a claim that only your backend can write, such as app_metadata or public_metadata`,
    )
  }
  return { text, prefix, steps }
}

/** Nothing where it is no path. */
function toSteps(path: string): Step[] | undefined {
  const part = /(?:\[(["']?)([^\]]+)\1\]|([^.,[\]]+))(?:\.(?=.)|(?=\[)|$)/y
  const steps: Step[] = []
  while (part.lastIndex < path.length) {
    const found = part.exec(path)
    if (!found) return undefined
    const [, , bracketed, plain = ''] = found
    if (bracketed !== undefined) steps.push({ member: bracketed })
    else if (plain === '*') steps.push('each')
    else if (plain === 'keys()') steps.push('keys')
    else if (/[*()"']/.test(plain)) return undefined
    else steps.push({ member: plain })
  }
  const keysAt = steps.indexOf('keys')
  return typeof steps[0] === 'object' && (keysAt < 0 || keysAt === steps.length - 1) ? steps : undefined
}

function malformedPath(setting: string): TypeError {
  return new TypeError(
    `${setting} must be names of claims between commas, such as scopes, o.id, orgs.*.id, teams.keys(), org:{o.id} or [https://example.com/teams]`,
  )
}
