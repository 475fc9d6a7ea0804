INSERT INTO "notes" AS t (scope, id, updated_at, updated_by, deleted, position, created_position, "title", "count", "price", "done", "extra", "due", "ref", "icon", "cost", "seen")
SELECT ?1, j.i$, j.a$, ?2, j.d$ IS TRUE, b.base$ + j.o$, b.base$ + j.o$, j.c0$, j.c1$, j.c2$, j.c3$, j.c4$, j.c5$, j.c6$, j.c7$, j.c8$, j.c9$
FROM (SELECT v ->> '$[0]' AS i$, v ->> '$[1]' AS o$, v ->> '$[2]' AS a$, v ->> '$[3]' AS d$, v ->> '$[4]' AS c0$, v ->> '$[5]' AS c1$, CAST(v ->> '$[6]' AS REAL) AS c2$, v ->> '$[7]' AS c3$, v ->> '$[8]' AS c4$, v ->> '$[9]' AS c5$, v ->> '$[10]' AS c6$, unhex(v ->> '$[11]') AS c7$, v ->> '$[12]' AS c8$, v ->> '$[13]' AS c9$ FROM (SELECT value AS v FROM json_each(?4) LIMIT -1) LIMIT -1) AS j CROSS JOIN (SELECT position - ?3 AS base$ FROM driftline_scopes WHERE scope = ?1) AS b WHERE true
ON CONFLICT (scope, id) DO UPDATE SET
updated_at = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.updated_at ELSE t.updated_at END,
updated_by = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.updated_by ELSE t.updated_by END,
deleted = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.deleted ELSE t.deleted END,
position = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.position ELSE t.position END,
"title" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."title" ELSE t."title" END,
"count" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."count" ELSE t."count" END,
"price" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."price" ELSE t."price" END,
"done" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."done" ELSE t."done" END,
"extra" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."extra" ELSE t."extra" END,
"due" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."due" ELSE t."due" END,
"ref" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."ref" ELSE t."ref" END,
"icon" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."icon" ELSE t."icon" END,
"cost" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."cost" ELSE t."cost" END,
"seen" = CASE WHEN (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."seen" ELSE t."seen" END
RETURNING CASE WHEN position > (SELECT position - ?3 FROM driftline_scopes WHERE scope = ?1) THEN concat(CASE WHEN created_position = position THEN 'i' ELSE 'u' END, '
', '', '
', '', '
', '', '
', id) ELSE concat(CASE WHEN position > (SELECT position - ?3 FROM driftline_scopes WHERE scope = ?1) THEN CASE WHEN created_position = position THEN 'i' ELSE 'u' END ELSE '-' END, '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', CASE WHEN deleted THEN concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') ELSE concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce("extra", 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') END) END