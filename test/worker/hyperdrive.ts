export { default, LiveObject } from '../../src/runtime/workers/worker.ts'
