import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { readArgs, runCommand } from '../../src/cli/command.ts'

/** Bytes of the worker as it is uploaded, all drivers in it. */
const bytesMax = 200_000

/** `npm run size`: builds the worker as a deploy would, and fails where it has grown too large. */
await runCommand(async () => {
  readArgs(
    { name: 'npm run size', does: 'Builds the worker as a deploy would, and fails where it has grown too large.' },
    {},
  )
  const folder = await mkdtemp(join(tmpdir(), 'driftline-size-'))
  try {
    const wrangler = fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json')))
    execFileSync(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', folder], {
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const bytes = gzipSync(await readFile(join(folder, 'worker.js')), { level: 9 }).length
    console.log(`The worker has ${bytes} bytes of gzip, of ${bytesMax} at the most.`)
    if (bytes > bytesMax) throw new Error('The worker is too large: see what weighs with wrangler deploy --metafile.')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
