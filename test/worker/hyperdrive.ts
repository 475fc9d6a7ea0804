export { default, LiveObject } from '../../src/app/worker.ts'
