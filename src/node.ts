/** driftline in Node: the whole server, or the parts of one. */
export { readPage } from './openapi/pages.ts'
export { nodeGzip } from './runtime/node/gzip.ts'
export { type StartOptions, start } from './runtime/node/start.ts'
export { nodeInflate } from './runtime/zlib-inflate.ts'
export { openStore } from './stores/open.ts'
export { nodePost } from './webhooks/out/node-post.ts'
