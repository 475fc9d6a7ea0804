import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Schema } from '../model/table.ts'
import { readWebhookSecrets } from '../webhooks/in/secrets.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'
import { createSigner } from '../webhooks/signer.ts'
import type { LoadApp } from './app.ts'
import { readWords } from './command.ts'

/**
 * `WEBHOOK_SECRETS='{"crm":"whsec_…"}' npx driftline webhook --source crm
 * '{"scope":"alice","changes":[…]}'`: signs a payload by Standard Webhooks and sends it, as the
 * system behind `crm` would. The payload is JSON, a file, or `-`.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline webhook',
    does: 'Signs a payload by Standard Webhooks and sends it, as the system behind a source would.',
  }
  const { values, words } = readWords(
    help,
    {
      source: { type: 'string', help: 'the name of the source, as in WEBHOOK_SECRETS' },
      url: { type: 'string', default: 'http://127.0.0.1:8787', help: 'where the server is' },
      id: { type: 'string', help: 'the id of the webhook, which takes effect once; a new one without it' },
      secret: { type: 'string', help: 'the secret, where WEBHOOK_SECRETS does not have it' },
      print: { type: 'boolean', default: false, help: 'prints it as a line of curl and sends nothing' },
    },
    ['the payload: JSON, a file or -'],
  )
  const { source, id = `msg_${randomBytes(16).toString('hex')}` } = values
  if (!source || words[0] === undefined) {
    throw new TypeError(`Say from where and what: npx driftline webhook --source crm '{"scope":"alice","changes":[]}'`)
  }
  const { sources } = await loadApp()
  const verify = Object.hasOwn(sources, source) ? sources[source]?.verify : undefined
  if (verify !== undefined && verify !== 'standard') {
    throw new TypeError(`${source} is verified in another way than Standard Webhooks, by which this command signs`)
  }
  const body = await readPayload(words[0])
  const signer = createSigner(values.secret ?? secretOf(source, sources))
  const url = new URL(`/v1/webhooks/${encodeURIComponent(source)}`, values.url).href
  const now = new Date()
  const headers = {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': await signer.sign(id, now, body),
  }
  if (values.print) return console.log(toCurl(url, headers, body))
  const answer = await fetch(url, { method: 'POST', headers, body }).catch(() => {
    // What fetch says is no more than that it failed.
    throw new Error(`Nothing answers at ${values.url}. Is the server running? Say where: --url …`)
  })
  console.log(`${answer.status} ${answer.statusText}\n${await answer.text()}`)
  if (!answer.ok) process.exitCode = 1
}

/**
 * The text to send, byte for byte: it is what was signed. That it is JSON is for the server to say.
 */
async function readPayload(word: string): Promise<string> {
  if (word === '-') return text(process.stdin)
  if (/^\s*[[{]/.test(word)) return word
  return readFile(word, 'utf8')
}

/** The secret of a source in `WEBHOOK_SECRETS`; of several the first, which the sender uses. */
function secretOf<S extends Schema>(source: string, sources: WebhookSources<S>): string {
  const [secret] = readWebhookSecrets(process.env.WEBHOOK_SECRETS, sources)[source] ?? []
  if (secret === undefined)
    throw new TypeError(`Set WEBHOOK_SECRETS='{"${source}":"whsec_…"}', or say --secret whsec_…`)
  return secret
}

/** The request as a command to paste. Five minutes later its signature is too old. */
function toCurl(url: string, headers: Readonly<Record<string, string>>, body: string): string {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
  const lines = Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`)
  return [`curl -i ${quote(url)}`, ...lines, `--data-binary ${quote(body)}`].join(' \\\n  ')
}
