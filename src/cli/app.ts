import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Schema } from '../model/table.ts'
import type { AppConfig } from '../runtime/app-config.ts'

/** The project that a command is run in. */
export interface App extends Required<AppConfig<Schema>> {
  /** The file that says so, for sentences. */
  readonly file: string
  /** Its folders, from where the command was started. */
  readonly migrations: URL
  readonly public: URL
}

export type LoadApp = () => Promise<App>

/** Where a project says what it is. The last is this repository's own. */
export const configFiles = ['ts', 'mts', 'js', 'mjs']
  .map((end) => `driftline.config.${end}`)
  .concat('src/app/driftline.config.ts')

/**
 * Reads the project of a folder. Throws a `TypeError` with a sentence where there is none, or none
 * that can be read.
 */
export async function loadApp(folder = process.cwd()): Promise<App> {
  const file = configFiles.find((one) => existsSync(join(folder, one)))
  if (file === undefined)
    throw new TypeError(`There is no driftline.config.ts in ${folder}: npx driftline init writes one`)
  const { default: config } = (await import(pathToFileURL(join(folder, file)).href).catch((error: unknown) => {
    throw sayUnread(file, error, 'the config', 'driftline.config.js')
  })) as { default?: Partial<AppConfig<Schema>> }
  if (!config?.schema?.tablesByName)
    throw new TypeError(
      `${file} must have as its default export defineConfig({ schema }), whose schema is made by defineSchema`,
    )
  const { schema, sources = {} } = config
  const folderUrl = (name: string) => pathToFileURL(join(folder, name, '/'))
  return { schema, sources, file, migrations: folderUrl('migrations'), public: folderUrl('public') }
}

/**
 * Why a file of somebody's own cannot be loaded: `what` it is, and how it would be named in
 * JavaScript.
 */
export function sayUnread(file: string, error: unknown, what: string, inJavaScript: string): unknown {
  const { code, message } = error as { code?: string; message?: string }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.m?ts$/.test(file))
    return new TypeError(
      `Node ${process.versions.node} reads no TypeScript: take Node 22.18 or later, or write ${what} and what it imports in JavaScript, as ${inJavaScript}`,
    )
  return new TypeError(`${file} cannot be read: ${message ?? error}`)
}
