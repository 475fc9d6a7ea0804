/** The tables of the tests: those of the sample as long as a project has it. */
export { suiteSchema as schema } from '../../src/testing/sample.ts'
