import { limits } from '../model/limits.ts'
import { type Html, html, raw } from './html.ts'
import type { Json } from './schema.ts'
import { schemaRows, schemaText } from './types.ts'

/** The document as a page to read: one file without scripts, that asks for nothing else. */
export function describeAsPage(document: Json): string {
  const { info, paths, components } = document as unknown as Document
  const parts = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => routeSection(path, method, route)),
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => html`<h3 id="${name}">${name}</h3>${description(schema)}${schemaRows(schema)}`,
  )
  const bounds = Object.entries(limits).map(([name, value]) => html`<tr><td>${name}</td><td>${value}</td></tr>`)
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${info.title} API</title>
<style>${raw(style)}</style>
</head>
<body>
<h1>${info.title}</h1>
<p>${info.summary}</p>
<p>${info.description}</p>
<p>Authorization: Bearer &lt;JWT&gt;. ${components.securitySchemes.token.description}</p>
<p>All of this for machines: <a href="/openapi.json">openapi.json</a></p>
<h2>Routes</h2>
${parts}
<h2>Schemas</h2>
${schemas}
<h2>Limits</h2>
<table>${bounds}</table>
</body>
</html>`.text
  }\n`
}

interface Document {
  readonly info: { readonly title: string; readonly summary: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Route>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>
    readonly securitySchemes: { readonly token: Json }
  }
}
interface Route {
  readonly summary: string
  readonly description?: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly schema: Json; readonly description?: string }[]
  readonly requestBody?: { readonly description: string; readonly content: Content }
  readonly responses: Readonly<Record<string, Answer>>
}
interface Answer {
  readonly description: string
  readonly headers: Json
  readonly content: Content
}
type Content = Readonly<Record<string, { readonly schema: Json; readonly example?: unknown }>>

function routeSection(path: string, method: string, route: Route): Html {
  const parameters = (route.parameters ?? []).map(
    ({ name, schema, description: text }) =>
      html`<tr><td>?${name}=</td><td>${schemaText(schema)}</td><td>${text ?? schema.description}</td></tr>`,
  )
  const body = Object.entries(route.requestBody?.content ?? {}).map(
    ([type, { schema, example }]) =>
      html`<p>Body: ${schemaText(schema)}, ${type}. ${route.requestBody?.description}</p>
<pre>${JSON.stringify(example, null, 2)}</pre>`,
  )
  const answers = Object.entries(route.responses).flatMap(([status, { description: text, headers, content }]) =>
    Object.entries(content).map(
      ([type, { schema }]) =>
        html`<tr><td>${status}</td><td>${schemaText(schema)}</td><td>${type}</td><td>${text}</td><td>${Object.keys(headers).join(', ')}</td></tr>`,
    ),
  )
  return html`<h3>${method.toUpperCase()} ${path}</h3>
<p>${route.summary}. ${route.description}${route.security ? ' Needs no token.' : ''}</p>
${parameters.length > 0 ? html`<table>${parameters}</table>` : ''}
${body}
<table>${answers}</table>
`
}

function description({ description: text }: Json): Html {
  return html`${text === undefined ? '' : html`<p>${text}</p>`}`
}

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 3rem }
h3 { margin-top: 2rem; font-family: ui-monospace, monospace }
table { border-collapse: collapse; margin: .5rem 0 }
td { border-top: 1px solid #8886; padding: .25rem 1rem .25rem 0; vertical-align: top; overflow-wrap: anywhere }
td:first-child, code, pre { font-family: ui-monospace, monospace; font-size: 90% }
pre { overflow-x: auto; padding: .75rem; background: #8882 }
`
