import type { Environment } from '../runtime/environment.ts'
import { isHelpAsked, readArgs } from './command.ts'

const help = {
  name: 'npx driftline dev',
  does: 'Runs the worker in workerd on this machine, offline and without a login.',
  more: 'All other arguments go to wrangler dev, such as --persist-to. Settings are variables: see docs/limits.md.',
}

const options = {
  port: { type: 'string', help: 'the port to listen on, instead of PORT (8787)' },
  ip: { type: 'string', help: 'the address to listen on, instead of HOST (127.0.0.1)' },
} as const

/**
 * `--port` and `--ip` as the settings they stand for: wrangler takes each but once. The rest is
 * wrangler's.
 */
export function devArgs(env: Environment, words: readonly string[] = process.argv.slice(2)) {
  if (isHelpAsked(words)) readArgs(help, options)
  const given = new Map<string, string>()
  const rest: string[] = []
  for (let place = 0; place < words.length; place++) {
    const word = words[place] as string
    const [, name, value] = /^--(port|ip)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) {
      rest.push(word)
      continue
    }
    const text = value ?? words[++place]
    if (!text || text.startsWith('-')) throw new TypeError(`Say --${name} with a value, such as ${examples[name]}`)
    given.set(name, text)
  }
  const [port, ip] = [given.get('port'), given.get('ip')]
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535))
    throw new TypeError('--port must be a whole number from 0 to 65535')
  return { env: { ...env, ...(port !== undefined && { PORT: port }), ...(ip !== undefined && { HOST: ip }) }, rest }
}

const examples: Readonly<Record<string, string>> = { port: '8788', ip: '127.0.0.1' }
