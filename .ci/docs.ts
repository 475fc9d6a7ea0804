import { buildPages } from './pages/build.ts'

/**
 * `npm run docs`: builds pages/, the manual and the reference as pages to read. Nothing where
 * nothing is new.
 */
console.log(await buildPages())
