import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

/**
 * Loaded before a command is: what was compiled once is read again, so it starts in half the time. Where no file can be
 * written nothing changes. Not in a folder for temporary files, where others might write too.
 */
enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/driftline', import.meta.url)))
