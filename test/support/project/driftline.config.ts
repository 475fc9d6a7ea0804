import { defineConfig } from '../../../src/index.ts'
import { schema } from '../schema.ts'

/** The project of the tests, so that they hold whatever the tables of this repository's app are. */
export default defineConfig({ schema })
