INSERT INTO "notes" AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position, "title", "count", "price", "done", "extra", "due", "ref", "icon", "cost", "seen")
SELECT ?1, sent$.id$, sent$.at$, ?2, sent$.deleted$ IS NOT NULL, scope$.base$ + sent$.ordinal$, scope$.base$ + sent$.ordinal$, sent$.c0$, sent$.c1$, sent$.c2$, sent$.c3$, sent$.c4$, sent$.c5$, sent$.c6$, sent$.c7$, sent$.c8$, sent$.c9$
FROM (SELECT value$ ->> '$[0]' AS id$, value$ ->> '$[1]' AS ordinal$, value$ ->> '$[2]' AS at$, value$ ->> '$[3]' AS deleted$, value$ ->> '$[4]' AS c0$, value$ ->> '$[5]' AS c1$, CAST(value$ ->> '$[6]' AS REAL) AS c2$, value$ ->> '$[7]' AS c3$, value$ ->> '$[8]' AS c4$, value$ ->> '$[9]' AS c5$, value$ ->> '$[10]' AS c6$, unhex(value$ ->> '$[11]') AS c7$, value$ ->> '$[12]' AS c8$, value$ ->> '$[13]' AS c9$ FROM (SELECT value AS value$ FROM json_each(?4) LIMIT -1) LIMIT -1) AS sent$ CROSS JOIN (SELECT (SELECT position - CAST(?3 AS bigint) FROM driftline_scopes WHERE scope = ?1) AS base$) AS scope$ WHERE 1 = 1
ON CONFLICT (scope, id) DO UPDATE SET
updated_at = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.updated_at ELSE stored$.updated_at END,
updated_by = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.updated_by ELSE stored$.updated_by END,
deleted = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.deleted ELSE stored$.deleted END,
position = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded.position ELSE stored$.position END,
"title" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."title" ELSE stored$."title" END,
"count" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."count" ELSE stored$."count" END,
"price" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."price" ELSE stored$."price" END,
"done" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."done" ELSE stored$."done" END,
"extra" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."extra" ELSE stored$."extra" END,
"due" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."due" ELSE stored$."due" END,
"ref" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."ref" ELSE stored$."ref" END,
"icon" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."icon" ELSE stored$."icon" END,
"cost" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."cost" ELSE stored$."cost" END,
"seen" = CASE WHEN (stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by) THEN excluded."seen" ELSE stored$."seen" END
RETURNING CASE WHEN position > (SELECT position - CAST(?3 AS bigint) FROM driftline_scopes WHERE scope = ?1) THEN concat(CASE WHEN created_position = position THEN 'i' ELSE 'u' END, '
', '', '
', '', '
', '', '
', id) ELSE concat(CASE WHEN position > (SELECT position - CAST(?3 AS bigint) FROM driftline_scopes WHERE scope = ?1) THEN CASE WHEN created_position = position THEN 'i' ELSE 'u' END ELSE '-' END, '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', CASE WHEN deleted THEN concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') ELSE concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce(replace(replace(replace("extra", '\t', ' '), '
', ' '), '', ' '), 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') END) END