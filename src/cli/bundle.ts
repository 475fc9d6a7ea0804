import { bundleMigrations } from '../migrations/bundle.ts'
import { runCommand } from './run.ts'

/** `npm run bundle`: writes migrations/sqlite.json anew. wrangler runs it before each build of the worker. */
await runCommand(() => bundleMigrations())
