INSERT INTO driftline_inbox AS inbox$ (scope, source, id, received_at, details, outcome)
SELECT $1, $2, $3, $4, $5, string_agg(CASE
WHEN found$.id IS NULL THEN substr(sent$.letters$, 2, 1)
WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, $2) THEN 's'
WHEN (found$.updated_at, found$.updated_by) = (sent$.at$, $2) THEN CASE WHEN found$.deleted THEN substr(sent$.letters$, 5, 1) ELSE '=' END
WHEN (found$.updated_at, found$.updated_by) < (sent$.base_at$, $2) THEN substr(sent$.letters$, 1, 1)
WHEN found$.deleted THEN substr(sent$.letters$, 3, 1) ELSE substr(sent$.letters$, 4, 1) END, '' ORDER BY sent$.ordinal$)
FROM (SELECT unnest((SELECT $6::text[])) AS id$, unnest((SELECT $7::bigint[])) AS ordinal$, unnest((SELECT $8::bigint[])) AS at$, unnest((SELECT $9::bigint[])) AS base_at$, unnest((SELECT $10::text[])) AS letters$) AS sent$ LEFT JOIN LATERAL (SELECT * FROM "notes" WHERE scope = $1 AND id = sent$.id$ AND (scope, id) >= (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), sent$.id$) OFFSET 0) AS found$ ON true WHERE 1 = 1
ON CONFLICT (scope, source, id) DO UPDATE SET outcome = inbox$.outcome || excluded.outcome RETURNING outcome