import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'

/** A Chromium of the system, where there is one. */
const installed = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) =>
  existsSync(file),
)

/**
 * Where there is none, npm has brought one for Linux on x64. Elsewhere what needs a browser is
 * skipped, but never in CI.
 */
export const hasBrowser = Boolean(
  installed || process.env.CI || (process.platform === 'linux' && process.arch === 'x64'),
)
export const browserMissing = 'skipped without a browser: install Chromium'

/** Nothing that Chromium asks of its makers for itself. */
const quiet = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync']

export async function openBrowser(): Promise<Browser> {
  if (installed) return chromium.launch({ executablePath: installed, args: quiet })
  const { default: packed, inflate, setupLambdaEnvironment } = await import('@sparticuz/chromium')
  // The few libraries that a bare system lacks.
  await inflate(fileURLToPath(new URL('../bin/al2023.tar.br', import.meta.resolve('@sparticuz/chromium'))))
  setupLambdaEnvironment(`${tmpdir()}/al2023/lib`)
  return chromium.launch({ executablePath: await packed.executablePath(), args: [...packed.args, ...quiet] })
}
