/** Whether the pages of an origin may call. */
export type IsAllowed = (origin: string) => boolean

/** Schemes that no page has for its origin, or every local one has. */
const noPage = /^(null|file|data|blob|about|javascript|ftp|wss?)$/
const web = /^https?$/

/**
 * Origins as browsers and the shells of apps send them: `https://app.example`,
 * `capacitor://localhost`,
 * `chrome-extension://…`. `https://*.preview.example` stands for one label, any, in the place of
 * the star. `*` alone is every origin: what
 * authenticates is a token that a page must hold, never a cookie that a browser adds by itself.
 *
 * @throws TypeError where one can match nothing, which says what to write instead
 */
export function createIsAllowed(setting: string, origins: readonly string[]): IsAllowed {
  for (const origin of origins) checkOrigin(setting, origin, origins.length === 1)
  if (origins[0] === '*') return () => true
  const exact = new Set(origins.filter((origin) => !origin.includes('*')))
  const patterns = origins.filter((origin) => origin.includes('*')).map((origin) => origin.split('*'))
  const fits = (origin: string, before = '', after = '') =>
    origin.startsWith(before) &&
    origin.endsWith(after) &&
    label.test(origin.slice(before.length, origin.length - after.length))
  return (origin) => exact.has(origin) || patterns.some(([before, after]) => fits(origin, before, after))
}

/** What stands between two dots of a host. */
const label = /^[a-z0-9_-]{1,63}$/

/** The setting's origins, between commas. */
export function readOrigins(setting: string, text = ''): readonly string[] {
  const origins = text
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
  createIsAllowed(setting, origins)
  return origins
}

function checkOrigin(setting: string, origin: string, isAlone: boolean): void {
  const refuse = (why: string): TypeError => new TypeError(`${setting}: ${why}`)
  if (origin === '*') {
    if (isAlone) return
    throw refuse('* is every origin, and stands alone')
  }
  if (origin === 'null')
    throw refuse('null is the origin of every local file and sandboxed frame, whoever made it, and cannot be allowed')
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(origin) ?? []
  if (scheme === undefined || host === undefined)
    throw refuse(
      `must be origins between commas, such as https://app.example,http://localhost:5173,capacitor://localhost${suggest(`https://${origin}`)}`,
    )
  if (noPage.test(scheme.toLowerCase()))
    throw refuse(
      `no page has an origin of ${scheme.toLowerCase()}://, or every local one: write that of the page, such as https://app.example`,
    )
  const isWeb = web.test(scheme.toLowerCase())
  if (host.includes('*')) {
    checkPattern(origin, host, isWeb, refuse)
    return
  }
  const canonical = isWeb ? webOrigin(origin) : appOrigin(scheme.toLowerCase(), host)
  if (canonical === undefined)
    throw refuse(`an origin is a scheme and a host, such as ${scheme.toLowerCase()}://localhost`)
  if (canonical !== origin)
    throw refuse(`what a browser sends is without path, default port and capitals: write ${canonical}`)
}

/**
 * A URL of such a scheme has no origin, and its host may keep its case: Safari's extensions are
 * named in capitals.
 */
function appOrigin(scheme: string, host: string): string | undefined {
  if (!/^[A-Za-z0-9._~-]*(:\d{1,5})?$/.test(host)) return undefined
  return `${scheme}://${/^(chrome|moz)-extension$/.test(scheme) ? host.toLowerCase() : host}`
}

/** `*` for the first label of a host of two more at the least, or of localhost. */
function checkPattern(origin: string, host: string, isWeb: boolean, refuse: (why: string) => TypeError): void {
  const example = 'https://*.preview.example'
  if (!isWeb)
    throw refuse(`* stands in origins of https:// and http:// only, such as ${example}: name the others one by one`)
  const rest = host.slice(2)
  if (!host.startsWith('*.') || rest.includes('*'))
    throw refuse(`* is the whole first label of a host, and one label only: ${example}`)
  if (!/^[^.:]+\.[^.:]|^localhost(:|$)/.test(rest) || /^[\d.]+(:|$)/.test(rest))
    throw refuse(`* before a whole top-level domain or an address would be strangers' pages too: write ${example}`)
  const canonical = webOrigin(origin.replace('*', 'label'))?.replace('label', '*')
  if (canonical === undefined) throw refuse(`a pattern of origins is such as ${example}`)
  if (canonical !== origin)
    throw refuse(`what a browser sends is without path, default port and capitals: write ${canonical}`)
}

/** As a browser writes it, without a user and a password. */
function webOrigin(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).origin : undefined
}

function suggest(guess: string): string {
  const origin = /[\s"'[\]@]/.test(guess) ? undefined : webOrigin(guess)
  if (origin === undefined) return ''
  return `: write ${/^https:\/\/(localhost|127\.)/.test(origin) ? origin.replace('https', 'http') : origin}`
}
