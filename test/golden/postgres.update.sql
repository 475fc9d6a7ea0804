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
FROM unnest((SELECT $4::text[]), (SELECT $5::bigint[]), (SELECT $6::bigint[]), (SELECT $7::text[]), (SELECT $8::bigint[]), (SELECT $9::bigint[]), (SELECT $10::bigint[]), (SELECT $11::double precision[]), (SELECT $12::bigint[]), (SELECT $13::boolean[]), (SELECT $14::bigint[]), (SELECT $15::json[]), (SELECT $16::bigint[]), (SELECT $17::timestamptz[]), (SELECT $18::bigint[]), (SELECT $19::uuid[]), (SELECT $20::bigint[]), (SELECT $21::bytea[]), (SELECT $22::bigint[])) AS j(i$, o$, a$, c0$, s0$, c1$, s1$, c2$, s2$, c3$, s3$, c4$, s4$, c5$, s5$, c6$, s6$, c7$, s7$) CROSS JOIN (SELECT position - $3 AS base$ FROM driftline_scopes WHERE scope = $1) AS b
WHERE t.scope = $1 AND t.id = j.i$ AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a$, $2)
RETURNING CASE WHEN created_position = position THEN 'i' ELSE 'u' END, updated_at, updated_by, CASE WHEN deleted THEN 1 ELSE 0 END, id, id, updated_at, updated_by, CASE WHEN deleted THEN 't' END, position, "title", "count", "price", "done", "extra", to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), "ref", encode("icon", 'hex')