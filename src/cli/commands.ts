import { readFileSync } from 'node:fs'
import { type LoadApp, loadApp } from './app.ts'
import { runCommand } from './command.ts'

interface Command {
  run(loadApp: LoadApp): Promise<void>
}

/** The commands of driftline, with what each does in a few words. */
export const commands: Readonly<Record<string, readonly [does: string, load: () => Promise<Command>]>> = {
  init: ['makes this folder a project', () => import('./init.ts')],
  start: ['serves the app with Node', () => import('./start.ts')],
  dev: ['runs the worker of the app on this machine', () => import('./dev.ts')],
  generate: ['writes the next migration, from the schema', () => import('./generate.ts')],
  migrate: ['applies migrations, or checks the databases', () => import('./migrate.ts')],
  bundle: ['writes what a build of the worker needs', () => import('./bundle.ts')],
  openapi: ['writes the documents of the wire', () => import('./openapi.ts')],
  token: ['prints a token of the server’s own secret', () => import('./token.ts')],
  import: ['takes the rows of a file', () => import('./import/import.ts')],
  export: ['writes the rows of a scope into a file', () => import('./export/export.ts')],
  prune: ['removes old tombstones', () => import('./prune.ts')],
  reconcile: ['looks for what no trigger has seen', () => import('./reconcile.ts')],
  restored: ['lets clients know that a backup was put back', () => import('./restored.ts')],
  deliveries: ['lists the webhooks out that wait', () => import('./deliveries.ts')],
  webhook: ['signs a webhook and sends it', () => import('./webhook.ts')],
  receive: ['receives webhooks out, to try them', () => import('./receive.ts')],
}

/** `npx driftline <command>`: takes the command's name off the arguments, and runs it. */
export async function main(): Promise<void> {
  const [name = '--help'] = process.argv.splice(2, 1)
  if (name === '--version' || name === '-v') return console.log(version())
  if (name === '--help' || name === '-h') return console.log(help())
  await runCommand(async () => {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (!command)
      throw new TypeError(`There is no command ${name}. The commands are ${Object.keys(commands).join(', ')}.`)
    const [, load] = command
    await (await load()).run(loadApp)
  })
}

/**
 * Of the package that this file is in: its manifest lies two folders up, in the repository as in
 * what is published.
 */
function version(): string {
  const files = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  for (const file of files) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')).version
    } catch {}
  }
  return 'unknown'
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, [does]]) => `  ${name.padEnd(width)}  ${does}`)
  return [
    'npx driftline <command> [options]',
    '',
    ...lines,
    '',
    'npx driftline <command> --help explains its options.',
  ].join('\n')
}
