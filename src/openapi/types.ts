import { type Html, html } from './html.ts'
import type { Json } from './schema.ts'

/** A schema in a few words: its type, or a link to it, and what narrows it. */
export function schemaText(schema: Json): Html {
  const { $ref, type, items, oneOf } = schema
  if (typeof $ref === 'string') {
    const name = $ref.split('/').at(-1) ?? ''
    return html`<a href="#${name}">${name}</a>`
  }
  if (Array.isArray(oneOf)) return html`${join(oneOf.map(schemaText), ' or ')}`
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  const words = Array.isArray(schema.enum)
    ? schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`)
    : [type].flat().map((one) => html`${one}`)
  const of = items ? html` of ${schemaText(items as Json)}` : ''
  return html`${join(words, ' or ')}${of}${narrowed(schema)}`
}

/** A schema in full: a row for each member of an object. */
export function schemaRows(schema: Json): Html {
  const { properties, required } = schema
  if (typeof properties !== 'object') return html`<p>${schemaText(schema)}</p>`
  const needed = Array.isArray(required) ? required : []
  const rows = Object.entries(properties as Readonly<Record<string, Json>>).map(([name, member]) => {
    const inner = member.properties ? schemaRows(member) : schemaText(member)
    const must = needed.includes(name) ? 'required' : ''
    return html`<tr><td>${name}</td><td>${inner}</td><td>${must}</td><td>${member.description}</td></tr>\n`
  })
  return html`<table>${rows}</table>`
}

const narrowing = [
  'format',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'pattern',
  'default',
]

function narrowed(schema: Json): Html[] {
  return narrowing
    .filter((name) => schema[name] !== undefined)
    .map((name) => html`, ${name} <code>${JSON.stringify(schema[name])}</code>`)
}

function join(parts: readonly Html[], by: string): Html[] {
  return parts.flatMap((part, place) => (place === 0 ? [part] : [html`${by}`, part]))
}
