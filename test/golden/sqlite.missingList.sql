SELECT j.o$, j.a$ FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS p$, v ->> '$[4]' AS q$ FROM (SELECT value AS v FROM json_each(?3) LIMIT -1) LIMIT -1) AS j
LEFT JOIN "notes" AS t ON t.scope = ?1 AND t.id = j.i$
WHERE CASE WHEN t.id IS NULL THEN j.p$ IS NULL OR j.q$
ELSE (t.deleted AND (t.updated_at, t.updated_by) < (j.a$, ?2) AND (j.p$ IS NULL OR (t.updated_at, t.updated_by) >= (j.p$, ?2)))
OR (j.q$ AND (t.updated_at, t.updated_by) < (j.p$, ?2)) END