import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { migrate } from '../migrations/apply.ts'
import { readMigrations } from '../migrations/read.ts'
import { devSecret } from '../runtime/dev-secret.ts'
import { printToken } from '../runtime/dev-token.ts'
import type { Environment } from '../runtime/environment.ts'
import { readConfig } from '../runtime/settings.ts'
import { openStore } from '../stores/open.ts'
import type { LoadApp } from './app.ts'
import { devArgs } from './dev-args.ts'
import { workerSettings } from './dev-settings.ts'

/**
 * Beside the development secret, out of git, while this runs. A file, since the arguments of a
 * process are seen by all.
 */
const variables = `.driftline/dev-${process.pid}.vars`

/**
 * `npx driftline dev`: the worker in workerd on this machine, by wrangler, offline. Arguments after
 * `--` go to wrangler dev.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const { env, rest } = devArgs(process.env)
  const app = await loadApp()
  const { host, port, auth, development, databaseAuthToken, log } = readConfig(env, app.sources)
  const secret = development ? devSecret() : undefined
  const { DATABASE_URL: databaseUrl } = process.env
  if (databaseUrl) await migrateDatabase(databaseUrl, databaseAuthToken, app.migrations)
  writeVariables({ ...process.env, AUTH_SECRET: secret ?? auth.secret, LOG: log })

  const wrangler = fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json')))
  const options = [
    '--ip',
    host,
    '--port',
    String(port),
    '--env-file',
    variables,
    '--show-interactive-dev-session=false',
    // Silences the remark that cron triggers do not fire here: GET /__scheduled fires one.
    '--test-scheduled',
  ]
  const child = spawn(process.execPath, [wrangler, 'dev', ...options, ...rest], {
    // Nothing that leaves this machine, no login, no file of logs.
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
    stdio: ['inherit', 'pipe', 'inherit'],
  })
  let printed = ''
  let announced = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text)
    if (announced) return
    printed += text
    const url = /Ready on (\S+)/.exec(printed)?.[1]
    if (url === undefined) return
    announced = true
    console.log(`driftline listens on ${url}`)
    if (secret !== undefined) void printToken(url, secret, app.schema)
  })
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopping = true
      child.kill(signal)
    })
  }
  child.on('exit', (code) => {
    rmSync(variables, { force: true })
    process.exit(stopping ? 0 : (code ?? 1))
  })
}

/**
 * Objects bring themselves up to date; another database is brought here, as `npx driftline start`
 * does.
 */
async function migrateDatabase(url: string, authToken: string | undefined, directory: URL): Promise<void> {
  if (url.startsWith('file:'))
    throw new TypeError('A worker has no files: unset DATABASE_URL, or take npx driftline start')
  const store = await openStore(url, { authToken })
  const applied = await migrate(store, await readMigrations(store.dialect.name, directory)).finally(() => store.close())
  if (applied.length > 0) console.log(`Migrated: ${applied.join(', ')}`)
}

function writeVariables(env: Environment): void {
  const lines = workerSettings.flatMap((name) => (env[name] ? [`${name}=${quote(name, env[name])}\n`] : []))
  mkdirSync('.driftline', { recursive: true })
  writeFileSync(variables, lines.join(''), { mode: 0o600 })
}

/** As dotenv reads it: what stands between two quotes of one kind is taken as it is. */
function quote(name: string, value: string): string {
  const mark = ["'", '`', '"'].find((one) => !value.includes(one))
  if (mark === undefined || value.includes('\n'))
    throw new TypeError(`${name} must be one line without all of ' \` and "`)
  return mark + value + mark
}
