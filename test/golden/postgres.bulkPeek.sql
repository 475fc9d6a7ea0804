SELECT count(CASE WHEN t.updated_at = j.a$ AND t.updated_by = j.b$ THEN 1 END),
count(CASE WHEN (t.updated_at, t.updated_by) > (j.a$, j.b$) THEN 1 END),
string_agg(CASE WHEN t.id IS NULL OR (t.updated_at, t.updated_by) < (j.a$, j.b$) THEN j.i$ END, '
')
FROM (SELECT unnest((SELECT $2::text[])) AS i$, unnest((SELECT $3::bigint[])) AS a$, unnest((SELECT $4::text[])) AS b$) AS j LEFT JOIN "notes" AS t ON t.scope = $1 AND t.id = j.i$