/**
 * Gives `openapi.json`, or a file of the pages by its path, such as `docs/start.html`; undefined
 * where there is none of that name.
 */
export type ReadDocument = (name: string) => Promise<BodyInit | undefined>
