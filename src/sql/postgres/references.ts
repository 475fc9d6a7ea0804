/** See `Dialect.references`. */
export const references = `SELECT parent$.name, format('%I.%I', space$.nspname, table$.relname), CASE WHEN child$.name IS NULL THEN 0 ELSE 1 END, key$.oid::text, of$.attname, at$.attname,
CASE key$.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END
FROM json_array_elements_text($1::json) AS parent$ (name)
JOIN pg_constraint AS key$ ON key$.contype = 'f' AND key$.conparentid = 0 AND key$.confrelid = to_regclass(quote_ident(parent$.name))
JOIN pg_class AS table$ ON table$.oid = key$.conrelid JOIN pg_namespace AS space$ ON space$.oid = table$.relnamespace
CROSS JOIN unnest(key$.conkey, key$.confkey) WITH ORDINALITY AS pair$ (of, at, place)
JOIN pg_attribute AS of$ ON of$.attrelid = key$.conrelid AND of$.attnum = pair$.of
JOIN pg_attribute AS at$ ON at$.attrelid = key$.confrelid AND at$.attnum = pair$.at
LEFT JOIN json_array_elements_text($1::json) AS child$ (name) ON to_regclass(quote_ident(child$.name)) = key$.conrelid
ORDER BY parent$.name, key$.oid, pair$.place`
