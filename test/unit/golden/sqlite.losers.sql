SELECT concat('-', '
', updated_at, '
', updated_by, '
', CASE WHEN deleted THEN 1 ELSE 0 END, '
', id, '
', CASE WHEN deleted THEN concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"delete","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, '}') ELSE concat((SELECT concat('{"scope":', json_quote(?1), ',"table":"notes","op":"put","id":')), json_quote(id), ',"at":', updated_at, ',"by":"', updated_by, '","position":', position, ',"row":{"title":', json_quote("title"), ',"count":', coalesce("count", 'null'), ',"price":', CASE WHEN "price" IS NULL THEN 'null'
WHEN "price" = CAST("price" AS INTEGER) AND abs("price") < 1e15 THEN CAST("price" AS INTEGER)
WHEN "price" BETWEEN 0.001 AND 1e8 AND CAST("price" * 1e6 + 0.5 AS INTEGER) / 1e6 = "price" OR "price" BETWEEN -1e8 AND -0.001 AND CAST("price" * 1e6 - 0.5 AS INTEGER) / 1e6 = "price" THEN format('%!.15g', "price")
ELSE '\tr' || format('%!.17g', "price") || '\t' END, ',"done":', CASE "done" WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END, ',"extra":', coalesce(replace(replace(replace("extra", '\t', ' '), '
', ' '), '', ' '), 'null'), ',"due":', coalesce('"' || substr("due", 1, 23) || 'Z"', 'null'), ',"ref":', coalesce('"' || "ref" || '"', 'null'), ',"icon":', CASE WHEN "icon" IS NULL THEN 'null' ELSE '\tb' || lower(hex("icon")) || '\t' END, ',"cost":', coalesce('"' || "cost" || '"', 'null'), ',"seen":', coalesce('"' || substr(rtrim("seen", 'Z') || '000', 1, 26) || 'Z"', 'null'), '}}') END) FROM "notes" AS found$ WHERE scope = ?1 AND id IN (SELECT value FROM json_each(?2)) AND +position <= (SELECT position - CAST(?3 AS bigint) FROM driftline_scopes WHERE scope = ?1)