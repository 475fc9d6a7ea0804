/** Text that is HTML already. Everything else is escaped where it is put into `html`. */
export interface Html {
  readonly text: string
}

export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  return raw(strings.map((string, place) => string + (place < values.length ? toHtml(values[place]) : '')).join(''))
}

export function raw(text: string): Html {
  return { text }
}

function toHtml(value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map(toHtml).join('')
  if (typeof value === 'object' && value !== null && 'text' in value) return String(value.text)
  return String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
