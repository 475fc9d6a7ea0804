/**
 * Reads settings, each by its own function, which throws a `TypeError` with a sentence where it is
 * wrong. All that are wrong are said at once, a line each, so that whoever deploys mends them
 * together.
 */
export function readEach<const Readers extends Readonly<Record<string, () => unknown>>>(
  readers: Readers,
): { readonly [Name in keyof Readers]: ReturnType<Readers[Name]> } {
  // Two may depend on a third that is wrong.
  const sentences = new Set<string>()
  const values: Record<string, unknown> = {}
  for (const [name, read] of Object.entries(readers)) {
    try {
      values[name] = read()
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      for (const sentence of sentencesOf(error)) sentences.add(sentence)
    }
  }
  if (sentences.size > 0) throw new TypeError([...sentences].join('\n'))
  return values as { readonly [Name in keyof Readers]: ReturnType<Readers[Name]> }
}

/** What is wrong, a sentence for each setting. */
export const sentencesOf = ({ message }: TypeError): readonly string[] => message.split('\n')
