SELECT count(CASE WHEN t.updated_at = j.a$ AND t.updated_by = j.b$ THEN 1 END),
count(CASE WHEN (t.updated_at, t.updated_by) > (j.a$, j.b$) THEN 1 END),
string_agg(CASE WHEN t.id IS NULL OR (t.updated_at, t.updated_by) < (j.a$, j.b$) THEN CAST(j.o$ AS text) END, ',')
FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS b$ FROM (SELECT value AS v FROM json_each(?2) LIMIT -1) LIMIT -1) AS j LEFT JOIN "notes" AS t ON t.scope = ?1 AND t.id = j.i$