import { mergeConfig } from 'vitest/config'
import whole, { outside } from './vitest.config.ts'

/** `npm run test:outside`: what the whole leaves to it. */
export default mergeConfig(
  { ...whole, test: { ...whole.test, include: [], exclude: [] } },
  { test: { include: outside } },
)
