import { describe, expect, it } from 'vitest'
import { splitStatements } from '../../../src/migrations/split.ts'

const trigger = `CREATE TRIGGER t AFTER UPDATE ON a WHEN new.begin = 1 BEGIN
  UPDATE a SET b = CASE WHEN new.end = 1 THEN 'END;' ELSE 2 END;
  SELECT CASE 1 WHEN 1 THEN 2 END; -- END;
END`
const atomic = 'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END'

const both = [
  ['nothing', '', []],
  ['only space and comments', '\ufeff -- a; b\n /* c; d */ ; ;', []],
  ['a last semicolon or none', 'a;\r\nb', ['a', 'b']],
  ['comments between statements', '-- one\na; /* two */ b -- three', ['a', 'b']],
  ['comments within a statement', 'a /* ; */ b -- ;\nc;d', ['a /* ; */ b -- ;\nc', 'd']],
  ['a comment that parts two words', 'a/**/b', ['a/**/b']],
  ['a semicolon in a string', "a 'x;y';b", ["a 'x;y'", 'b']],
  ['a doubled quote', "a 'it''s; ok'; b ''';'; c ''", ["a 'it''s; ok'", "b ''';'", "c ''"]],
  ['a backslash before a quote', "a '\\'; b", ["a '\\'", 'b']],
  ['a quoted name', 'a "x;""y;"; b', ['a "x;""y;"', 'b']],
  ['marks of comments in strings', "a '--'; b '/*'; c", ["a '--'", "b '/*'", 'c']],
  ['operators of - and /', 'a - -1; b / 2 * 3', ['a - -1', 'b / 2 * 3']],
  ['letters beyond ASCII', "größe 'ü;'; é", ["größe 'ü;'", 'é']],
] as const

const onlyPostgres = [
  ['dollar quotes', 'a $$;$$; b $f$ ; $$ ; $g$ ; $f$; c', ['a $$;$$', 'b $f$ ; $$ ; $g$ ; $f$', 'c']],
  ['a dollar within a word', 'a$b$; c$b$; $1', ['a$b$', 'c$b$', '$1']],
  ['escape strings', "a E'\\'; '';'; b e'\\\\'; c", ["a E'\\'; '';'", "b e'\\\\'", 'c']],
  ['nested comments', 'a /* /* ; */ ; */ ; b', ['a', 'b']],
  ['BEGIN ATOMIC', `${atomic}; a`, [atomic, 'a']],
  ['an empty body', 'CREATE PROCEDURE p() BEGIN ATOMIC END; a', ['CREATE PROCEDURE p() BEGIN ATOMIC END', 'a']],
  [
    'a column that is named begin',
    'CREATE TABLE t (begin int, atomic int); a',
    ['CREATE TABLE t (begin int, atomic int)', 'a'],
  ],
  [
    'a trigger that has no body',
    'CREATE TRIGGER t EXECUTE FUNCTION f(); a',
    ['CREATE TRIGGER t EXECUTE FUNCTION f()', 'a'],
  ],
  ['a subscript', "a['x]'::int]; b", ["a['x]'::int]", 'b']],
] as const

const onlySqlite = [
  ['a trigger', `${trigger}; a`, [trigger, 'a']],
  [
    'a temporary trigger',
    'create temp trigger t begin select 1; end; a',
    ['create temp trigger t begin select 1; end', 'a'],
  ],
  ['a trigger behind a comment', `-- why\n${trigger};`, [trigger]],
  ['backticks and brackets', 'a `;``;`; b [;"]; c', ['a `;``;`', 'b [;"]', 'c']],
  ['a comment that looks nested', 'a /* src/*.ts */; b', ['a', 'b']],
] as const

for (const dialect of ['postgres', 'sqlite'] as const) {
  describe(`splits a file of ${dialect} with`, () => {
    it.each([...both, ...(dialect === 'postgres' ? onlyPostgres : onlySqlite)])('%s', (_, sql, statements) => {
      expect(splitStatements(sql, dialect)).toEqual(statements)
    })

    it.each([
      ["a;\nb 'c", "the ' in line 2 has no end"],
      ['"c', 'the " in line 1 has no end'],
      ['a\n\n/* c', 'the /* in line 3 has no end'],
    ])('%j, which is refused', (sql, message) => {
      expect(() => splitStatements(sql, dialect)).toThrow(new TypeError(message))
    })
  })
}

it('splits a file of a megabyte at once', () => {
  const row = `INSERT INTO a VALUES ('${"it''s; ".repeat(20_000)}')`
  expect(splitStatements(`${row};\n`.repeat(7), 'sqlite')).toEqual(Array.from({ length: 7 }, () => row))
})
