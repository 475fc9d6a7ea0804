#!/usr/bin/env node
import nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

/**
 * What was compiled once is read again, so that a command starts in half the time. Where no file
 * can be written nothing changes. Not in a folder for temporary files, where others might write
 * too. Node 20 has no such thing.
 */
const self = fileURLToPath(import.meta.url)
const modules =
  /^.*[\\/]node_modules(?=[\\/])/.exec(self)?.[0] ?? fileURLToPath(new URL('../../node_modules', import.meta.url))
nodeModule.enableCompileCache?.(`${modules}/.cache/driftline`)
const { main } = await import('./commands.ts')
await main()
