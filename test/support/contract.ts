import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'vitest'

/** What was asked and answered, to be held against an OpenAPI document. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document
type Any = any

/** Headers of HTTP itself and of CORS, which no route has for itself. */
const common =
  /^(content-type|content-length|transfer-encoding|date|connection|keep-alive|access-control-.*|vary|content-security-policy|x-content-type-options)$/

/** A path as the document has it. */
export const templateOf = (path: string): string =>
  (path.split('?')[0] ?? '')
    .replace(/^\/v1\/webhooks\/[^/]+$/, '/v1/webhooks/{source}')
    .replace(/^\/(docs|reference)\/.*$/, '/$1')

/**
 * Holds requests and answers against an OpenAPI 3.1 document, which JSON Schema 2020-12 is a part
 * of.
 */
export function createContract(document: Any) {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false })
  ;(addFormats as unknown as (to: Ajv2020) => void)(ajv)
  ajv.addVocabulary(['components', 'discriminator', 'example'])
  ajv.addSchema({ $id: 'api', components: document.components })
  const compiled = new Map<string, ValidateFunction>()
  const compile = (schema: Any): ValidateFunction => {
    const text = JSON.stringify(schema).replaceAll('"#/', '"api#/')
    const known = compiled.get(text) ?? ajv.compile(JSON.parse(text))
    compiled.set(text, known)
    return known
  }
  const resolve = (node: Any): Any =>
    node?.$ref
      ? node.$ref
          .slice(2)
          .split('/')
          .reduce((at: Any, step: string) => at[step], document)
      : node
  const isValid = (name: string, value: unknown): boolean =>
    compile({ $ref: `#/components/schemas/${name}` })(value) === true

  function mustFit(schema: Any, value: unknown, where: string): void {
    const validate = compile(schema)
    if (!validate(value)) {
      expect.fail(`${where}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)?.slice(0, 500)}`)
    }
  }

  /**
   * The response object that documents an answer. A HEAD is answered as a GET, without its body.
   */
  function responseOf({ method, path, status }: Exchange): Any {
    const route = document.paths[templateOf(path)]
    if (!route) return status === 404 ? document.components.responses.NotFound : undefined
    const operation = route[method === 'HEAD' ? 'get' : method.toLowerCase()]
    if (!operation) return status === 405 ? document.components.responses.MethodNotAllowed : undefined
    return resolve(operation.responses[status])
  }

  /**
   * Fails where an answer has a status, type, header or member that the document does not know, or
   * lacks one.
   */
  function checkAnswer(exchange: Exchange): void {
    const { method, path, status, headers, text } = exchange
    const where = `${method} ${path.slice(0, 60)} ${status}`
    const response = responseOf(exchange)
    if (!response) expect.fail(`${where} is not documented`)
    const type = headers.get('content-type')?.split(';')[0] ?? ''
    const content = response.content[type]
    if (!content && ![304, 308].includes(status)) expect.fail(`${where}: ${type} is not documented`)
    if (/[/+]json$/.test(type) && method !== 'HEAD') mustFit(content.schema, JSON.parse(text), where)
    if (type === 'application/x-ndjson' && method !== 'HEAD') {
      expect(text.endsWith('\n')).toBe(true)
      for (const line of text.trimEnd().split('\n')) mustFit(content.schema, JSON.parse(line), where)
    }
    const documented = Object.entries<Any>(response.headers)
    for (const [name, header] of documented) {
      const value = headers.get(name)
      const { required, schema } = resolve(header)
      if (value === null) expect(required, `${where} lacks ${name}`).not.toBe(true)
      else mustFit(schema, schema.type === 'integer' ? Number(value) : value, `${where} ${name}`)
    }
    const known = documented.map(([name]) => name.toLowerCase())
    for (const name of headers.keys()) {
      if (!common.test(name)) expect(known, `${where}: the header ${name}`).toContain(name)
    }
  }

  return { isValid, mustFit, checkAnswer }
}
