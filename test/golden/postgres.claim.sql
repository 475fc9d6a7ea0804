INSERT INTO driftline_inbox AS w (scope, source, id, received_at, details, outcome)
SELECT $1, $2, $3, $4, $5, string_agg(CASE
WHEN t.id IS NULL THEN substr(j.v$, 2, 1)
WHEN (t.updated_at, t.updated_by) > (j.a$, $2) THEN 's'
WHEN (t.updated_at, t.updated_by) = (j.a$, $2) THEN CASE WHEN t.deleted THEN substr(j.v$, 5, 1) ELSE '=' END
WHEN (t.updated_at, t.updated_by) < (j.b$, $2) THEN substr(j.v$, 1, 1)
WHEN t.deleted THEN substr(j.v$, 3, 1) ELSE substr(j.v$, 4, 1) END, '' ORDER BY j.o$)
FROM (SELECT unnest((SELECT $6::text[])) AS i$, unnest((SELECT $7::bigint[])) AS o$, unnest((SELECT $8::bigint[])) AS a$, unnest((SELECT $9::bigint[])) AS b$, unnest((SELECT $10::text[])) AS v$) AS j LEFT JOIN "notes" AS t ON t.scope = $1 AND t.id = j.i$ WHERE true
ON CONFLICT (scope, source, id) DO UPDATE SET outcome = w.outcome || excluded.outcome RETURNING outcome