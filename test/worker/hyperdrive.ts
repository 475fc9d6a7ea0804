export { default, LiveObject } from '../../src/worker.ts'
