/**
 * The types of answers. JSON is UTF-8 whatever its type says, but some clients, Dart's among them,
 * take text without a charset for Latin-1.
 */
export const jsonType = 'application/json; charset=utf-8'
export const linesType = 'application/x-ndjson; charset=utf-8'
export const problemType = 'application/problem+json; charset=utf-8'
