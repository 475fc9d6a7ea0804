UPDATE "notes" AS t SET
"title" = CASE WHEN (t.updated_at, t.updated_by) < (j.s0$, $2) THEN j.c0$ ELSE t."title" END,
"count" = CASE WHEN (t.updated_at, t.updated_by) < (j.s1$, $2) THEN j.c1$ ELSE t."count" END,
"price" = CASE WHEN (t.updated_at, t.updated_by) < (j.s2$, $2) THEN j.c2$ ELSE t."price" END,
"done" = CASE WHEN (t.updated_at, t.updated_by) < (j.s3$, $2) THEN j.c3$ ELSE t."done" END,
"extra" = CASE WHEN (t.updated_at, t.updated_by) < (j.s4$, $2) THEN j.c4$ ELSE t."extra" END,
"due" = CASE WHEN (t.updated_at, t.updated_by) < (j.s5$, $2) THEN j.c5$ ELSE t."due" END,
"ref" = CASE WHEN (t.updated_at, t.updated_by) < (j.s6$, $2) THEN j.c6$ ELSE t."ref" END,
"icon" = CASE WHEN (t.updated_at, t.updated_by) < (j.s7$, $2) THEN j.c7$ ELSE t."icon" END,
"cost" = CASE WHEN (t.updated_at, t.updated_by) < (j.s8$, $2) THEN j.c8$ ELSE t."cost" END,
"seen" = CASE WHEN (t.updated_at, t.updated_by) < (j.s9$, $2) THEN j.c9$ ELSE t."seen" END,
updated_at = j.a$, updated_by = $2, position = b.base$ + j.o$
FROM (SELECT unnest((SELECT $4::text[])) AS i$, unnest((SELECT $5::bigint[])) AS o$, unnest((SELECT $6::bigint[])) AS a$, unnest((SELECT $7::text[])) AS c0$, unnest((SELECT $8::bigint[])) AS s0$, unnest((SELECT $9::bigint[])) AS c1$, unnest((SELECT $10::bigint[])) AS s1$, unnest((SELECT $11::double precision[])) AS c2$, unnest((SELECT $12::bigint[])) AS s2$, unnest((SELECT $13::boolean[])) AS c3$, unnest((SELECT $14::bigint[])) AS s3$, unnest((SELECT $15::json[])) AS c4$, unnest((SELECT $16::bigint[])) AS s4$, unnest((SELECT $17::timestamptz[])) AS c5$, unnest((SELECT $18::bigint[])) AS s5$, unnest((SELECT $19::uuid[])) AS c6$, unnest((SELECT $20::bigint[])) AS s6$, unnest((SELECT $21::bytea[])) AS c7$, unnest((SELECT $22::bigint[])) AS s7$, unnest((SELECT $23::numeric[])) AS c8$, unnest((SELECT $24::bigint[])) AS s8$, unnest((SELECT $25::timestamptz[])) AS c9$, unnest((SELECT $26::bigint[])) AS s9$) AS j CROSS JOIN (SELECT position - $3 AS base$ FROM driftline_scopes WHERE scope = $1) AS b
WHERE t.scope = $1 AND t.id = j.i$ AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a$, $2)
RETURNING CASE WHEN created_position = position THEN 'i' ELSE 'u' END, updated_at, updated_by, CASE WHEN deleted THEN 1 ELSE 0 END, id, id, updated_at, updated_by, CASE WHEN deleted THEN 't' END, position, "title", "count", "price", "done", "extra", to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), "ref", encode("icon", 'hex'), "cost", to_char("seen" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')