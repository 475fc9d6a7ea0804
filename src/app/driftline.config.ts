import { defineConfig } from '../index.ts'
import { schema } from './schema.ts'
import { sources } from './sources.ts'

/** What the commands know of this app. */
export default defineConfig({ schema, sources })
