export const documentNames = ['openapi.json', 'docs.html'] as const
export type DocumentName = (typeof documentNames)[number]
export type ReadDocument = (name: DocumentName) => Promise<string>
