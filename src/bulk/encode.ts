/** Turns text back into the bytes that it was read from. */
export interface Encoder {
  /** What a file that is written with it begins with, so that it is read as it was written. */
  readonly mark: Uint8Array
  encode(text: string): Buffer
}

const utf8Mark = Buffer.from('\ufeff')

/**
 * The encoder of what TextDecoder reads by that name. Of encodings in which a character has more
 * than one form, or its bytes depend on those before, the file becomes UTF-8 with its mark, which
 * is found whatever `--encoding` says.
 */
export function encoderOf({ name, mark }: { readonly name: string; readonly mark: number }): Encoder {
  if (name === 'utf-8') return { mark: mark > 0 ? utf8Mark : Buffer.alloc(0), encode: (text) => Buffer.from(text) }
  if (name === 'utf-16le' || name === 'utf-16be') {
    const encode = (text: string) =>
      name === 'utf-16le' ? Buffer.from(text, 'utf16le') : Buffer.from(text, 'utf16le').swap16()
    return { mark: mark > 0 ? encode('\ufeff') : Buffer.alloc(0), encode }
  }
  const bytes = bytesByCharacter(name)
  if (!bytes) return { mark: utf8Mark, encode: (text) => Buffer.from(text) }
  return { mark: Buffer.alloc(0), encode: (text) => Buffer.from(Array.from(text, (one) => bytes.get(one) ?? 63)) }
}

/** Of an encoding in which each byte is a character. */
function bytesByCharacter(name: string): ReadonlyMap<string, number> | undefined {
  if (/^(gb|big5|euc|iso-2022|shift)/.test(name)) return undefined
  const decoder = new TextDecoder(name)
  return new Map(Array.from({ length: 256 }, (_, byte) => [decoder.decode(Uint8Array.of(byte)), byte]))
}
