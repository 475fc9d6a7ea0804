import { start } from '../runtime/node/start.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'

const help = {
  name: 'npx driftline start',
  does: 'Serves the database of DATABASE_URL, an embedded file without one, and applies what is new of the migrations.',
  more: 'All other settings are variables, such as AUTH_SECRET, DATABASE_URL and LOG: see docs/limits.md.',
}

const options = {
  port: { type: 'string', help: 'the port to listen on, instead of PORT (8787)' },
  host: { type: 'string', help: 'the address to listen on, instead of HOST (127.0.0.1)' },
} as const

export async function run(loadApp: LoadApp): Promise<void> {
  const { port, host } = readArgs(help, options)
  const { env } = process
  const { schema, sources, migrations } = await loadApp()
  await start({
    ...{ schema, sources, migrations },
    env: { ...env, ...(port !== undefined && { PORT: port }), ...(host !== undefined && { HOST: host }) },
  }).catch((error: unknown) => {
    const { message } = error instanceof Error ? error : { message: String(error) }
    console.error(error instanceof TypeError ? message : `driftline cannot start: ${message}`)
    // What it has opened by then would keep the process.
    process.exit(1)
  })
}
