export { default } from '../../src/worker.ts'
