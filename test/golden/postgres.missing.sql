SELECT ('driftline_missing' || j.o$)::integer FROM json_to_recordset($3::json) AS j(i$ text, o$ bigint, a$ bigint, p$ bigint, q$ boolean)
LEFT JOIN "notes" AS t ON t.scope = $1 AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.p$ IS NULL OR j.q$
ELSE (t.deleted AND (t.updated_at, t.updated_by) < (j.a$, $2) AND (j.p$ IS NULL OR (t.updated_at, t.updated_by) >= (j.p$, $2)))
OR (j.q$ AND (t.updated_at, t.updated_by) < (j.p$, $2)) END