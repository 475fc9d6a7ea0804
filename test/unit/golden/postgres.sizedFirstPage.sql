WITH head$ AS MATERIALIZED (SELECT incarnation, position, watermark, position - $4 AS upper$, row_bytes * $5 > 4194304 AS large$,
CASE WHEN NOT row_bytes * $5 > 4194304 THEN $5 ELSE 
(SELECT CASE WHEN coalesce(sum(size$), 0) <= 4194304 THEN $5 WHEN max(size$) >= 4194304 THEN 1 ELSE 4194304 / max(size$) END
FROM (SELECT position, 64 + coalesce(octet_length("title"), 0) + coalesce(octet_length("extra"::text), 0) + coalesce(octet_length("icon"), 0) + coalesce(octet_length("cost"::text), 0) AS size$ FROM "notes"
WHERE scope = $1 AND position > $2 AND (scope, position, deleted) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $2, true) AND NOT deleted AND position <= (SELECT position - CAST($4 AS bigint) FROM driftline_scopes WHERE scope = $1)
UNION ALL
SELECT position, 64 AS size$ FROM "notes"
WHERE scope = $1 AND position > $3 AND (scope, position) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $3) AND position > $2 AND position <= (SELECT position - CAST($4 AS bigint) FROM driftline_scopes WHERE scope = $1) AND deleted
UNION ALL
SELECT position, 64 + coalesce(octet_length("name"), 0) AS size$ FROM "tags"
WHERE scope = $1 AND position > $2 AND (scope, position, deleted) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $2, true) AND NOT deleted AND position <= (SELECT position - CAST($4 AS bigint) FROM driftline_scopes WHERE scope = $1)
UNION ALL
SELECT position, 64 AS size$ FROM "tags"
WHERE scope = $1 AND position > $3 AND (scope, position) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $3) AND position > $2 AND position <= (SELECT position - CAST($4 AS bigint) FROM driftline_scopes WHERE scope = $1) AND deleted ORDER BY position LIMIT $5) AS sizes$) END AS cap$ FROM driftline_scopes WHERE scope = $1)
SELECT -1 AS place$, incarnation AS id$, watermark AS at$, cap$::text AS by$, CASE WHEN large$ THEN 't' END AS deleted$, position, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM head$
UNION ALL ((SELECT 0 AS place$, id AS id$, updated_at AS at$, updated_by AS by$, CASE WHEN deleted THEN 't' END AS deleted$, position AS position, "title" AS value0$, "count" AS value1$, "price" AS value2$, "done" AS value3$, "extra" AS value4$, to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS value5$, "ref" AS value6$, encode("icon", 'hex') AS value7$, "cost" AS value8$, to_char("seen" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS value9$ FROM "notes"
WHERE scope = $1 AND position > $2 AND (scope, position, deleted) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $2, true) AND NOT deleted AND position <= (SELECT upper$ FROM head$) ORDER BY position LIMIT $5 + 1)
UNION ALL
(SELECT 0 AS place$, id AS id$, updated_at AS at$, updated_by AS by$, CASE WHEN deleted THEN 't' END AS deleted$, position AS position, "title" AS value0$, "count" AS value1$, "price" AS value2$, "done" AS value3$, "extra" AS value4$, to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS value5$, "ref" AS value6$, encode("icon", 'hex') AS value7$, "cost" AS value8$, to_char("seen" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS value9$ FROM "notes"
WHERE scope = $1 AND position > $3 AND (scope, position) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $3) AND position > $2 AND position <= (SELECT upper$ FROM head$) AND deleted ORDER BY position LIMIT $5 + 1)
UNION ALL
(SELECT 1 AS place$, id AS id$, updated_at AS at$, updated_by AS by$, CASE WHEN deleted THEN 't' END AS deleted$, position AS position, "name" AS value0$, NULL::bigint AS value1$, NULL::double precision AS value2$, NULL::boolean AS value3$, NULL::json AS value4$, NULL::text AS value5$, NULL::uuid AS value6$, NULL::text AS value7$, NULL::numeric AS value8$, NULL::text AS value9$ FROM "tags"
WHERE scope = $1 AND position > $2 AND (scope, position, deleted) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $2, true) AND NOT deleted AND position <= (SELECT upper$ FROM head$) ORDER BY position LIMIT $5 + 1)
UNION ALL
(SELECT 1 AS place$, id AS id$, updated_at AS at$, updated_by AS by$, CASE WHEN deleted THEN 't' END AS deleted$, position AS position, "name" AS value0$, NULL::bigint AS value1$, NULL::double precision AS value2$, NULL::boolean AS value3$, NULL::json AS value4$, NULL::text AS value5$, NULL::uuid AS value6$, NULL::text AS value7$, NULL::numeric AS value8$, NULL::text AS value9$ FROM "tags"
WHERE scope = $1 AND position > $3 AND (scope, position) > (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), $3) AND position > $2 AND position <= (SELECT upper$ FROM head$) AND deleted ORDER BY position LIMIT $5 + 1) ORDER BY position LIMIT (SELECT cap$ + 1 FROM head$))