import { scopeNameLengthMax, scopeNamePattern } from '../model/scope-name.ts'

/** Stands in a `DATABASE_URL` for the name of each scope's database. */
const place = '{scope}'
/** A label of a host has 63 characters. */
const labelRestMax = 63 - scopeNameLengthMax

export function isScopeUrl(url: string): boolean {
  return url.includes(place)
}

/** The URL of one scope's database, by its name from `scopeToName`. */
export function scopeUrl(template: string, name: string): string {
  return template.replace(place, name)
}

/**
 * Throws a `TypeError` with a sentence where a scope could reach another place than its own
 * database.
 */
export function checkScopeUrl(template: string): void {
  if (template.split(place).length !== 2) throw new TypeError(`DATABASE_URL may hold ${place} once`)
  if (template.startsWith('file:')) checkPath(template)
  else checkHost(template)
}

function checkPath(template: string): void {
  if (/[/\\].*$/.test(template.slice(template.indexOf(place))))
    throw new TypeError(`${place} must stand in the name of the file, for example file:data/${place}.db`)
}

/**
 * Nothing beside the host and its port: no user, and no path that a proxy could read as another
 * host.
 */
const hostPattern = /^(?:libsql|https?):\/\/([^/?#@:]+)(?::\d{1,5})?\/?$/

function checkHost(template: string): void {
  const [label = '', ...domain] = hostPattern.exec(template)?.[1]?.split('.') ?? []
  const rest = label.replace(place, '')
  const fits =
    label.includes(place) &&
    // No -- , behind which a scope could make an xn-- of it.
    /^[a-z0-9]+(-[a-z0-9]+)*$/.test(label.replace(place, 'a')) &&
    rest.length <= labelRestMax &&
    // A last label of digits would make an address of the host.
    /^([a-z0-9-]+\.)*[a-z][a-z0-9-]*$/.test(domain.join('.'))
  if (!fits) {
    throw new TypeError(
      `${place} must stand in the first part of the host, in lower case with at most ${labelRestMax} characters around it, and nothing but a port may follow the host, for example libsql://${place}-acme.turso.io`,
    )
  }
}

/** Which files of the folder are a scope's, by the template's last segment. */
export function scopeFilePattern(template: string): RegExp {
  const file = template.slice(template.lastIndexOf('/') + 1).replace(/^file:/, '')
  const [before = '', after = ''] = file.split(place).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${before}(${scopeNamePattern})${after}$`)
}
