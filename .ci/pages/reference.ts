import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import plugin from '@scalar/fastify-api-reference'
import { fileName } from './file-name.ts'

/** Writes the reference of the wire: Scalar's own script, one that starts it, and a page for both. */
export async function buildReference(folder: string): Promise<void> {
  const scalar = await scalarScript()
  const files = { [fileName('scalar.js', scalar)]: scalar, [fileName('start.js', start)]: start }
  await mkdir(join(folder, 'assets'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'assets', name), text)
  const scripts = Object.keys(files).map((name) => `<script src="reference/assets/${name}"></script>\n`)
  await writeFile(join(folder, 'index.html'), page(scripts.join('')))
}

/**
 * Of all packages that bring Scalar this one is the smallest, a tenth of the whole. It hands the
 * script out by a route of Fastify alone, so that is what it gets here.
 */
async function scalarScript(): Promise<string> {
  let script: unknown
  const reply = { header: () => reply, send: (text: unknown) => (script = text) }
  const fastify = {
    log: console,
    hasPlugin: () => false,
    route({ url, handler }: { url: string; handler(request: unknown, to: typeof reply): unknown }) {
      if (url.endsWith('.js')) handler(undefined, reply)
    },
  }
  plugin(fastify as never, { configuration: { url: 'openapi.json' } } as never, () => {})
  if (typeof script !== 'string') throw new Error('@scalar/fastify-api-reference has no script any more')
  return script
}

/** Nothing is asked of another host: no fonts, no proxy, no figures of use, no assistant. */
const start = `const { origin, pathname } = location
Scalar.createApiReference('#app', {
  url: 'openapi.json',
  servers: [{ url: origin + pathname.replace(/\\/reference$/, '') }],
  proxyUrl: '',
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  hideClientButton: true,
  documentDownloadType: 'none',
  persistAuth: false,
})
`

const page = (scripts: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>driftline: API reference</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="app"></div>
${scripts}</body>
</html>
`
