UPDATE "notes" AS t SET
"title" = CASE WHEN (t.updated_at, t.updated_by) < (j.s0$, $2) THEN j.c0$ ELSE t."title" END,
"count" = CASE WHEN (t.updated_at, t.updated_by) < (j.s1$, $2) THEN j.c1$ ELSE t."count" END,
"price" = CASE WHEN (t.updated_at, t.updated_by) < (j.s2$, $2) THEN j.c2$ ELSE t."price" END,
"done" = CASE WHEN (t.updated_at, t.updated_by) < (j.s3$, $2) THEN j.c3$ ELSE t."done" END,
"extra" = CASE WHEN (t.updated_at, t.updated_by) < (j.s4$, $2) THEN j.c4$ ELSE t."extra" END,
"due" = CASE WHEN (t.updated_at, t.updated_by) < (j.s5$, $2) THEN j.c5$ ELSE t."due" END,
"ref" = CASE WHEN (t.updated_at, t.updated_by) < (j.s6$, $2) THEN j.c6$ ELSE t."ref" END,
"icon" = CASE WHEN (t.updated_at, t.updated_by) < (j.s7$, $2) THEN j.c7$ ELSE t."icon" END,
updated_at = j.a$, updated_by = $2, position = b.base$ + j.o$
FROM json_to_recordset($3::json) AS j(i$ text, o$ bigint, a$ bigint, c0$ text, s0$ bigint, c1$ bigint, s1$ bigint, c2$ double precision, s2$ bigint, c3$ boolean, s3$ bigint, c4$ json, s4$ bigint, c5$ timestamptz, s5$ bigint, c6$ uuid, s6$ bigint, c7$ bytea, s7$ bigint) CROSS JOIN (SELECT position - $4 AS base$ FROM driftline_scopes WHERE scope = $1) AS b
WHERE t.scope = $1 AND t.id = j.i$ AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a$, $2)
RETURNING CASE WHEN created_position = position THEN 'i' ELSE 'u' END, updated_at, updated_by, CASE WHEN deleted THEN 1 ELSE 0 END, id, id, updated_at, updated_by, CASE WHEN deleted THEN 't' END, position, "title", "count", "price", "done", "extra", to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), "ref", encode("icon", 'hex')