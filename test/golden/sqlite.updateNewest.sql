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
updated_at = CASE WHEN t.updated_at >= j.a$ THEN t.updated_at + 1 ELSE j.a$ END, updated_by = ?2, position = b.base$ + j.o$
FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS c0$, v ->> '$[4]' AS s0$, v ->> '$[5]' AS c1$, v ->> '$[6]' AS s1$, CAST(v ->> '$[7]' AS REAL) AS c2$, v ->> '$[8]' AS s2$, v ->> '$[9]' AS c3$, v ->> '$[10]' AS s3$, v ->> '$[11]' AS c4$, v ->> '$[12]' AS s4$, v ->> '$[13]' AS c5$, v ->> '$[14]' AS s5$, v ->> '$[15]' AS c6$, v ->> '$[16]' AS s6$, unhex(v ->> '$[17]') AS c7$, v ->> '$[18]' AS s7$, v ->> '$[19]' AS c8$, v ->> '$[20]' AS s8$, v ->> '$[21]' AS c9$, v ->> '$[22]' AS s9$ FROM (SELECT value AS v FROM json_each(?4) LIMIT -1) LIMIT -1) AS j CROSS JOIN (SELECT position - ?3 AS base$ FROM driftline_scopes WHERE scope = ?1) AS b
WHERE t.scope = ?1 AND t.id = j.i$ AND NOT t.deleted
RETURNING concat(CASE WHEN created_position = position THEN 'i' ELSE 'u' END, '
', NULL, '
', NULL, '
', NULL, '
', id)