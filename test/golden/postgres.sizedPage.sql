WITH head AS MATERIALIZED (SELECT incarnation, position, watermark, position - $4 AS upper, row_bytes * $5 > 4194304 AS large,
CASE WHEN NOT row_bytes * $5 > 4194304 THEN $5 ELSE 
(SELECT CASE WHEN coalesce(sum(z.size), 0) <= 4194304 THEN $5 WHEN max(z.size) >= 4194304 THEN 1 ELSE 4194304 / max(z.size) END
FROM (SELECT position, 64 + coalesce(octet_length("title"), 0) + coalesce(octet_length("extra"::text), 0) + coalesce(octet_length("icon"), 0) + coalesce(octet_length("cost"::text), 0) AS size FROM "notes" AS t
WHERE scope = $1 AND position > $2 AND position <= (SELECT position - $4 FROM driftline_scopes WHERE scope = $1) AND (NOT deleted OR position > $3)
UNION ALL
SELECT position, 64 + coalesce(octet_length("name"), 0) AS size FROM "tags" AS t
WHERE scope = $1 AND position > $2 AND position <= (SELECT position - $4 FROM driftline_scopes WHERE scope = $1) AND (NOT deleted OR position > $3) ORDER BY position LIMIT $5) AS z) END AS cap FROM driftline_scopes WHERE scope = $1)
SELECT -1 AS place, incarnation AS id, watermark AS at, cap::text AS by, CASE WHEN large THEN 't' END AS dead, position, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM head
UNION ALL ((SELECT 0 AS place, id AS id, updated_at AS at, updated_by AS by, CASE WHEN deleted THEN 't' END AS dead, position AS position, "title" AS v0, "count" AS v1, "price" AS v2, "done" AS v3, "extra" AS v4, to_char("due" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS v5, "ref" AS v6, encode("icon", 'hex') AS v7, "cost" AS v8, to_char("seen" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS v9 FROM "notes" AS t
WHERE scope = $1 AND position > $2 AND position <= (SELECT upper FROM head) AND (NOT deleted OR position > $3) ORDER BY position LIMIT $5 + 1)
UNION ALL
(SELECT 1 AS place, id AS id, updated_at AS at, updated_by AS by, CASE WHEN deleted THEN 't' END AS dead, position AS position, "name" AS v0, NULL::bigint AS v1, NULL::double precision AS v2, NULL::boolean AS v3, NULL::json AS v4, NULL::text AS v5, NULL::uuid AS v6, NULL::text AS v7, NULL::numeric AS v8, NULL::text AS v9 FROM "tags" AS t
WHERE scope = $1 AND position > $2 AND position <= (SELECT upper FROM head) AND (NOT deleted OR position > $3) ORDER BY position LIMIT $5 + 1) ORDER BY position LIMIT (SELECT cap + 1 FROM head))