/** Whole names that OpenID Connect and OAuth servers write into every token. */
const known =
  /^(openid|profile|email|address|phone|offline|offline_access|api|admin|all|user_impersonation|\.default)$/i

/**
 * Words of permissions, wherever they stand in a name without a digit, and first or last in any.
 */
const strong = /^(read|write|readonly|readwrite|create|delete|manage|admin|impersonation|impersonate)$/
/**
 * Words that may as well name a thing: a permission where they are said of several, `place-orders`,
 * `users:list`.
 */
const weak =
  /^(update|edit|view|list|get|add|remove|check|place|access|use|send|submit|cancel|approve|search|publish|upload|download|import|export|invite|modify|execute|run|issue|revoke|refund|accept|reject|assign|share|show|see)$/

/**
 * Whether a name reads as a permission of OAuth, as issuers write them into the claim `scopes` of
 * every user: `*`, `openid`, `read-orders`, `orders:write`, `User.Read.All`, a URL. Rows that were
 * shared by such a name would be shared by strangers.
 */
export function isPermission(name: string): boolean {
  if (name.includes('*') || name.includes('://') || name.startsWith('urn:') || known.test(name)) return true
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  const [first = '', last = ''] = [words.at(0), words.at(-1)]
  if (strong.test(first) || strong.test(last)) return true
  if (hasDigit(name)) return false
  if (words.some((word) => strong.test(word))) return true
  if (words.length < 2) return false
  return (weak.test(first) && last.endsWith('s')) || (weak.test(last) && /s[:./]\w+$/.test(name))
}

/** A scope of rows nearly always has an id in its name. */
export function hasDigit(name: string): boolean {
  return /\d/.test(name)
}
