SELECT scope$.incarnation, scope$.position, scope$.watermark, row_bytes * ?5 > 4194304, page$.count$, page$.last$, page$.rows$, CASE WHEN EXISTS (SELECT 1 FROM "notes"
WHERE scope = ?1 AND position > coalesce(page$.last$, ?2) AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1))
OR EXISTS (SELECT 1 FROM "notes"
WHERE scope = ?1 AND position > ?3 AND position > coalesce(page$.last$, ?2) AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted)
OR EXISTS (SELECT 1 FROM "tags"
WHERE scope = ?1 AND position > coalesce(page$.last$, ?2) AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1))
OR EXISTS (SELECT 1 FROM "tags"
WHERE scope = ?1 AND position > ?3 AND position > coalesce(page$.last$, ?2) AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted) THEN 1 ELSE 0 END
FROM driftline_scopes AS scope$ CROSS JOIN (SELECT count(*) AS count$, max(position) AS last$, group_concat(text$, '
') AS rows$
FROM (SELECT position, concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce(replace(replace(replace("extra", '\t', ' '), '
', ' '), '', ' '), 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') AS text$ FROM "notes"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1)
UNION ALL
SELECT position, concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') AS text$ FROM "notes"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted
UNION ALL
SELECT position, concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"tags","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"name":', json_quote("name"), '}}') AS text$ FROM "tags"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1)
UNION ALL
SELECT position, concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"tags","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') AS text$ FROM "tags"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted ORDER BY position LIMIT coalesce((SELECT CASE WHEN NOT row_bytes * ?5 > 4194304 THEN ?5 ELSE 
(SELECT CASE WHEN coalesce(sum(size$), 0) <= 4194304 THEN ?5 WHEN max(size$) >= 4194304 THEN 1 ELSE 4194304 / max(size$) END
FROM (SELECT position, 64 + coalesce(octet_length("title"), 0) + coalesce(octet_length("extra"), 0) + coalesce(octet_length("icon"), 0) + coalesce(octet_length("cost"), 0) AS size$ FROM "notes"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1)
UNION ALL
SELECT position, 64 AS size$ FROM "notes"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted
UNION ALL
SELECT position, 64 + coalesce(octet_length("name"), 0) AS size$ FROM "tags"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1)
UNION ALL
SELECT position, 64 AS size$ FROM "tags"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(?4 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted ORDER BY position LIMIT ?5) AS sizes$) END FROM driftline_scopes WHERE scope = ?1), ?5))) AS page$
WHERE scope$.scope = ?1