import type { Environment } from '../runtime/environment.ts'
import { helpText, isHelpAsked, readArgs } from './command.ts'

const help = {
  name: 'npm start',
  does: 'Serves the database of DATABASE_URL, an embedded file without one, and applies what is new of the migrations.',
  more: 'All other settings are variables, such as AUTH_SECRET, DATABASE_URL and LOG: see "Settings" in the README.',
}

const options = {
  port: { type: 'string', help: 'the port to listen on, instead of PORT (8787)' },
  host: { type: 'string', help: 'the address to listen on, instead of HOST (127.0.0.1)' },
} as const

/** The environment with what the command line says instead; nothing where it only asked for help. */
export function startArgs(env: Environment): Environment | undefined {
  if (isHelpAsked()) {
    process.stdout.write(helpText(help, options, []))
    return undefined
  }
  const { port, host } = readArgs(help, options)
  return { ...env, ...(port !== undefined && { PORT: port }), ...(host !== undefined && { HOST: host }) }
}
