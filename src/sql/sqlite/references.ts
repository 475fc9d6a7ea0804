/**
 * See `Dialect.references`. A Durable Object keeps tables of its own, which nobody may look into.
 * The engine compares names without their case.
 */
export const references = `SELECT parent$.value, concat('"', replace(tables$.name, '"', '""'), '"'), tables$.name IN (SELECT value FROM json_each(?1)), concat(tables$.name, ' ', keys$.id), keys$."from",
coalesce(keys$."to", (SELECT columns$.name FROM pragma_table_info(keys$."table") AS columns$ WHERE columns$.pk = keys$.seq + 1)), CASE WHEN keys$.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') THEN keys$.on_delete END
FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_*' AND name NOT GLOB 'sqlite_*' LIMIT -1) AS tables$ CROSS JOIN pragma_foreign_key_list(tables$.name) AS keys$
JOIN json_each(?1) AS parent$ ON parent$.value = lower(keys$."table") ORDER BY parent$.value, tables$.name, keys$.id, keys$.seq`
