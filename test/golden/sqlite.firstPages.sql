WITH RECURSIVE head$ AS MATERIALIZED (SELECT place$, scope$, position$, coalesce(start$, 9007199254740991) AS start$, own$, at$, watermark$, row_bytes$, at$ - n$ AS upper$, at$ - n$ > position$ AND incarnation$ IN ('', own$) AND (start$ IS NULL OR at$ >= start$ AND watermark$ <= max(position$, start$)) AS reads$, concat('{"scope":', json_quote(scope$)) AS begin$
FROM (SELECT *, asked$ ->> '$[0]' AS place$, asked$ ->> '$[1]' AS position$, asked$ ->> '$[2]' AS start$, asked$ ->> '$[3]' AS n$ FROM (SELECT sent$.scope$, substr(words$, instr(words$, '|') + 1) AS asked$, substr(words$, 1, instr(words$, ' ') - 1) AS incarnation$, scope$.incarnation AS own$, scope$.position AS at$, scope$.watermark AS watermark$, scope$.row_bytes AS row_bytes$
FROM (SELECT key AS scope$, value AS words$ FROM json_each(?1) LIMIT -1) AS sent$ LEFT JOIN driftline_scopes AS scope$ ON scope$.scope = sent$.scope$
WHERE instr(words$, concat(scope$.incarnation, ' ', scope$.position, '|')) <> 1 LIMIT -1) LIMIT -1)),
behind$ AS MATERIALIZED (SELECT head$.*, row_number() OVER (ORDER BY place$) AS turn$, CASE WHEN upper$ - position$ > ?2 THEN ?2 + 1 ELSE upper$ - position$ END AS most$ FROM head$ WHERE reads$),
bound$ AS MATERIALIZED (SELECT coalesce(sum(most$) <= ?2 AND sum(most$ * row_bytes$) <= 4194304, 1 = 1) AS fits$, max(row_bytes$) * ?2 > 4194304 AS weighs$ FROM behind$),
walk$ (turn$, left$) AS (SELECT CAST(0 AS bigint), json_array(?2, 4194304) FROM bound$ WHERE NOT fits$
UNION ALL SELECT behind$.turn$, (SELECT json_array(CASE WHEN count(*) = count(*) FILTER (WHERE taken$) THEN CAST(walk$.left$ ->> 0 AS bigint) - count(*) ELSE 0 END, CAST(walk$.left$ ->> 1 AS bigint) - coalesce(sum(size$) FILTER (WHERE taken$), 0), CASE WHEN count(*) = count(*) FILTER (WHERE taken$) THEN behind$.upper$ ELSE coalesce(max(position) FILTER (WHERE taken$), behind$.position$) END)
FROM (SELECT position, size$, number$ <= CAST(walk$.left$ ->> 0 AS bigint) AND (total$ <= CAST(walk$.left$ ->> 1 AS bigint) OR number$ = 1 AND CAST(walk$.left$ ->> 1 AS bigint) = 4194304) AS taken$
FROM (SELECT position, size$, row_number() OVER size_window$ AS number$, sum(size$) OVER size_window$ AS total$
FROM (SELECT position, CASE WHEN (SELECT weighs$ FROM bound$) THEN 64 + coalesce(octet_length("title"), 0) + coalesce(octet_length("extra"), 0) + coalesce(octet_length("icon"), 0) + coalesce(octet_length("cost"), 0) ELSE 0 END AS size$ FROM "notes"
WHERE scope = behind$.scope$ AND position > behind$.position$ AND NOT deleted AND position <= behind$.upper$
UNION ALL
SELECT position, CASE WHEN (SELECT weighs$ FROM bound$) THEN 64 ELSE 0 END AS size$ FROM "notes"
WHERE scope = behind$.scope$ AND position > behind$.start$ AND position > behind$.position$ AND position <= behind$.upper$ AND deleted
UNION ALL
SELECT position, CASE WHEN (SELECT weighs$ FROM bound$) THEN 64 + coalesce(octet_length("name"), 0) ELSE 0 END AS size$ FROM "tags"
WHERE scope = behind$.scope$ AND position > behind$.position$ AND NOT deleted AND position <= behind$.upper$
UNION ALL
SELECT position, CASE WHEN (SELECT weighs$ FROM bound$) THEN 64 ELSE 0 END AS size$ FROM "tags"
WHERE scope = behind$.scope$ AND position > behind$.start$ AND position > behind$.position$ AND position <= behind$.upper$ AND deleted ORDER BY position LIMIT ?2 + 1) AS sizes$ WINDOW size_window$ AS (ORDER BY position ROWS UNBOUNDED PRECEDING)) AS totals$) AS taken$)
FROM walk$ CROSS JOIN behind$ WHERE behind$.turn$ = walk$.turn$ + 1 AND CAST(walk$.left$ ->> 0 AS bigint) > 0),
reach$ AS MATERIALIZED (SELECT behind$.*, CASE WHEN fits$ THEN upper$ ELSE coalesce((SELECT CAST(left$ ->> 2 AS bigint) FROM walk$ WHERE walk$.turn$ = behind$.turn$), position$) END AS cut$ FROM behind$ CROSS JOIN bound$)
SELECT head$.place$, head$.own$, head$.at$, head$.watermark$, reach$.cut$, CASE WHEN reach$.cut$ > reach$.position$ THEN (SELECT concat(count(*), '
', max(position), '
', group_concat(text$, '
')) FROM (SELECT position, concat(reach$.begin$, ',"table":"notes","op":"put","id":', json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce(replace(replace(replace("extra", '\t', ' '), '
', ' '), '', ' '), 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') AS text$ FROM "notes"
WHERE scope = reach$.scope$ AND position > reach$.position$ AND NOT deleted AND position <= reach$.cut$
UNION ALL
SELECT position, concat(reach$.begin$, ',"table":"notes","op":"delete","id":', json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') AS text$ FROM "notes"
WHERE scope = reach$.scope$ AND position > reach$.start$ AND position > reach$.position$ AND position <= reach$.cut$ AND deleted
UNION ALL
SELECT position, concat(reach$.begin$, ',"table":"tags","op":"put","id":', json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"name":', json_quote("name"), '}}') AS text$ FROM "tags"
WHERE scope = reach$.scope$ AND position > reach$.position$ AND NOT deleted AND position <= reach$.cut$
UNION ALL
SELECT position, concat(reach$.begin$, ',"table":"tags","op":"delete","id":', json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') AS text$ FROM "tags"
WHERE scope = reach$.scope$ AND position > reach$.start$ AND position > reach$.position$ AND position <= reach$.cut$ AND deleted ORDER BY position LIMIT -1)) END
FROM head$ LEFT JOIN reach$ ON reach$.place$ = head$.place$