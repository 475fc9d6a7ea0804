/** The first line of a migration that a person must finish. */
export const draftLine = '-- driftline: draft — finish this file, then delete this line'

/** Whether a comment says so, in whatever words behind: nothing of such a file may be applied. */
export const isDraftLine = (comment: string): boolean => /^(--|\/\*)\s*driftline\s*:\s*draft\b/i.test(comment)

export const unfinished = 'this is a draft: finish the file, then delete its line "-- driftline: draft …"'

export const isDraft = (sql: string): boolean => sql.split('\n').some((line) => isDraftLine(line.trim()))
