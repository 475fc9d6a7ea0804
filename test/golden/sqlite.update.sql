UPDATE "notes" AS t SET
"title" = CASE WHEN (t.updated_at, t.updated_by) < (j.s0$, ?2) THEN j.c0$ ELSE t."title" END,
"count" = CASE WHEN (t.updated_at, t.updated_by) < (j.s1$, ?2) THEN j.c1$ ELSE t."count" END,
"price" = CASE WHEN (t.updated_at, t.updated_by) < (j.s2$, ?2) THEN j.c2$ ELSE t."price" END,
"done" = CASE WHEN (t.updated_at, t.updated_by) < (j.s3$, ?2) THEN j.c3$ ELSE t."done" END,
"extra" = CASE WHEN (t.updated_at, t.updated_by) < (j.s4$, ?2) THEN j.c4$ ELSE t."extra" END,
"due" = CASE WHEN (t.updated_at, t.updated_by) < (j.s5$, ?2) THEN j.c5$ ELSE t."due" END,
"ref" = CASE WHEN (t.updated_at, t.updated_by) < (j.s6$, ?2) THEN j.c6$ ELSE t."ref" END,
"icon" = CASE WHEN (t.updated_at, t.updated_by) < (j.s7$, ?2) THEN j.c7$ ELSE t."icon" END,
"cost" = CASE WHEN (t.updated_at, t.updated_by) < (j.s8$, ?2) THEN j.c8$ ELSE t."cost" END,
"seen" = CASE WHEN (t.updated_at, t.updated_by) < (j.s9$, ?2) THEN j.c9$ ELSE t."seen" END,
updated_at = j.a$, updated_by = ?2, position = b.base$ + j.o$
FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS c0$, v ->> '$[4]' AS s0$, v ->> '$[5]' AS c1$, v ->> '$[6]' AS s1$, CAST(v ->> '$[7]' AS REAL) AS c2$, v ->> '$[8]' AS s2$, v ->> '$[9]' AS c3$, v ->> '$[10]' AS s3$, v ->> '$[11]' AS c4$, v ->> '$[12]' AS s4$, v ->> '$[13]' AS c5$, v ->> '$[14]' AS s5$, v ->> '$[15]' AS c6$, v ->> '$[16]' AS s6$, unhex(v ->> '$[17]') AS c7$, v ->> '$[18]' AS s7$, v ->> '$[19]' AS c8$, v ->> '$[20]' AS s8$, v ->> '$[21]' AS c9$, v ->> '$[22]' AS s9$ FROM (SELECT value AS v FROM json_each(?4) LIMIT -1) LIMIT -1) AS j CROSS JOIN (SELECT position - ?3 AS base$ FROM driftline_scopes WHERE scope = ?1) AS b
WHERE t.scope = ?1 AND t.id = j.i$ AND NOT t.deleted AND (t.updated_at, t.updated_by) < (j.a$, ?2)
RETURNING concat(CASE WHEN created_position = position THEN 'i' ELSE 'u' END, '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', CASE WHEN deleted THEN concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') ELSE concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce("extra", 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') END)