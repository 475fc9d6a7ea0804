SELECT count(CASE WHEN t.updated_at = j.a$ AND t.updated_by = j.b$ THEN 1 END),
count(CASE WHEN (t.updated_at, t.updated_by) > (j.a$, j.b$) THEN 1 END),
string_agg(CASE WHEN t.id IS NULL OR (t.updated_at, t.updated_by) < (j.a$, j.b$) THEN j.i$ END, '
')
FROM (SELECT key AS i$, CAST(substr(value, 1, 16) AS integer) AS a$, substr(value, 17) AS b$ FROM json_each(?2) LIMIT -1) AS j LEFT JOIN "notes" AS t ON t.scope = ?1 AND t.id = j.i$