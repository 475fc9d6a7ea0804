UPDATE "notes" AS t SET
"title" = CASE WHEN (t.updated_at, t.updated_by) < (j.s0$, ?2) THEN j.c0$ ELSE t."title" END,
"count" = CASE WHEN (t.updated_at, t.updated_by) < (j.s1$, ?2) THEN j.c1$ ELSE t."count" END,
"price" = CASE WHEN (t.updated_at, t.updated_by) < (j.s2$, ?2) THEN j.c2$ ELSE t."price" END,
"done" = CASE WHEN (t.updated_at, t.updated_by) < (j.s3$, ?2) THEN j.c3$ ELSE t."done" END,
"extra" = CASE WHEN (t.updated_at, t.updated_by) < (j.s4$, ?2) THEN j.c4$ ELSE t."extra" END,
"due" = CASE WHEN (t.updated_at, t.updated_by) < (j.s5$, ?2) THEN j.c5$ ELSE t."due" END,
"ref" = CASE WHEN (t.updated_at, t.updated_by) < (j.s6$, ?2) THEN j.c6$ ELSE t."ref" END,
"icon" = CASE WHEN (t.updated_at, t.updated_by) < (j.s7$, ?2) THEN j.c7$ ELSE t."icon" END,
updated_at = j.a$, updated_by = ?2, position = b.base$ + j.o$
FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS c0$, v ->> '$[4]' AS s0$, v ->> '$[5]' AS c1$, v ->> '$[6]' AS s1$, CAST(v ->> '$[7]' AS REAL) AS c2$, v ->> '$[8]' AS s2$, v ->> '$[9]' AS c3$, v ->> '$[10]' AS s3$, v ->> '$[11]' AS c4$, v ->> '$[12]' AS s4$, v ->> '$[13]' AS c5$, v ->> '$[14]' AS s5$, v ->> '$[15]' AS c6$, v ->> '$[16]' AS s6$, unhex(v ->> '$[17]') AS c7$, v ->> '$[18]' AS s7$ FROM (SELECT value AS v FROM json_each(?4) LIMIT -1) LIMIT -1) AS j CROSS JOIN (SELECT (SELECT position - CAST(?3 AS bigint) FROM driftline_scopes WHERE scope = ?1) AS base$) AS b
WHERE t.scope = ?1 AND t.id = j.i$ AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a$, ?2)