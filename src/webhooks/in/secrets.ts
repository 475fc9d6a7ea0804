import { limits } from '../../model/limits.ts'
import type { Schema } from '../../model/table.ts'
import { isObject } from '../../model/untrusted.ts'
import type { WebhookSources } from './sources.ts'
import { createVerifyWebhook, type WebhookSecrets } from './verify.ts'

/**
 * Reads `WEBHOOK_SECRETS`: JSON, source to one secret or several, in the form that each source's
 * way of signing wants. Throws a `TypeError` that shows none of them.
 */
export function readWebhookSecrets<S extends Schema>(text = '', known: WebhookSources<S> = {}): WebhookSecrets {
  if (text.trim() === '') return {}
  const sources = parse(text)
  if (!isObject(sources)) throw new TypeError(`${example}, source to secret`)
  const secrets = Object.entries(sources).map(([source, some]): [string, string[]] => {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(source)) {
      throw new TypeError(
        `WEBHOOK_SECRETS has a source whose name is not 1 to ${limits.clientLengthMax} of the characters A-Z a-z 0-9 _ and -`,
      )
    }
    const list: unknown[] = Array.isArray(some) ? some : [some]
    if (list.length === 0 || !list.every((secret) => typeof secret === 'string')) {
      throw new TypeError(`WEBHOOK_SECRETS must have a secret, or an array of them, for ${source}`)
    }
    return [source, list as string[]]
  })
  // With a prototype of its own a source could be named __proto__.
  const bySource: WebhookSecrets = Object.assign(Object.create(null), Object.fromEntries(secrets))
  try {
    createVerifyWebhook(bySource, known)
  } catch (error) {
    throw new TypeError(`WEBHOOK_SECRETS: ${error instanceof Error ? error.message : ''}`)
  }
  return bySource
}

const example = 'WEBHOOK_SECRETS must be JSON such as {"crm":"whsec_…"}'

/** The engine's message would repeat a piece of the text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError(example)
  }
}
