UPDATE "notes" AS t SET
"title" = CASE WHEN j.s0$ IS NOT NULL THEN j.c0$ ELSE t."title" END,
"count" = CASE WHEN j.s1$ IS NOT NULL THEN j.c1$ ELSE t."count" END,
"price" = CASE WHEN j.s2$ IS NOT NULL THEN j.c2$ ELSE t."price" END,
"done" = CASE WHEN j.s3$ IS NOT NULL THEN j.c3$ ELSE t."done" END,
"extra" = CASE WHEN j.s4$ IS NOT NULL THEN j.c4$ ELSE t."extra" END,
"due" = CASE WHEN j.s5$ IS NOT NULL THEN j.c5$ ELSE t."due" END,
"ref" = CASE WHEN j.s6$ IS NOT NULL THEN j.c6$ ELSE t."ref" END,
"icon" = CASE WHEN j.s7$ IS NOT NULL THEN j.c7$ ELSE t."icon" END,
"cost" = CASE WHEN j.s8$ IS NOT NULL THEN j.c8$ ELSE t."cost" END,
"seen" = CASE WHEN j.s9$ IS NOT NULL THEN j.c9$ ELSE t."seen" END,
updated_at = CASE WHEN t.updated_at >= j.a$ THEN t.updated_at + 1 ELSE j.a$ END, updated_by = $2, position = b.base$ + j.o$
FROM (SELECT unnest((SELECT $4::text[])) AS i$, unnest((SELECT $5::bigint[])) AS o$, unnest((SELECT $6::bigint[])) AS a$, unnest((SELECT $7::text[])) AS c0$, unnest((SELECT $8::bigint[])) AS s0$, unnest((SELECT $9::bigint[])) AS c1$, unnest((SELECT $10::bigint[])) AS s1$, unnest((SELECT $11::double precision[])) AS c2$, unnest((SELECT $12::bigint[])) AS s2$, unnest((SELECT $13::boolean[])) AS c3$, unnest((SELECT $14::bigint[])) AS s3$, unnest((SELECT $15::json[])) AS c4$, unnest((SELECT $16::bigint[])) AS s4$, unnest((SELECT $17::timestamptz[])) AS c5$, unnest((SELECT $18::bigint[])) AS s5$, unnest((SELECT $19::uuid[])) AS c6$, unnest((SELECT $20::bigint[])) AS s6$, unnest((SELECT $21::bytea[])) AS c7$, unnest((SELECT $22::bigint[])) AS s7$, unnest((SELECT $23::numeric[])) AS c8$, unnest((SELECT $24::bigint[])) AS s8$, unnest((SELECT $25::timestamptz[])) AS c9$, unnest((SELECT $26::bigint[])) AS s9$) AS j CROSS JOIN (SELECT position - $3 AS base$ FROM driftline_scopes WHERE scope = $1) AS b
WHERE t.scope = $1 AND t.id = j.i$ AND NOT t.deleted
RETURNING CASE WHEN created_position = position THEN 'i' ELSE 'u' END, NULL, NULL, NULL, id