SELECT count(CASE WHEN found$.updated_at = sent$.at$ AND found$.updated_by = sent$.by$ THEN 1 END),
count(CASE WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, sent$.by$) THEN 1 END),
string_agg(CASE WHEN found$.id IS NULL OR (found$.updated_at, found$.updated_by) < (sent$.at$, sent$.by$) THEN sent$.id$ END, '
')
FROM (SELECT unnest((SELECT $2::text[])) AS id$, unnest((SELECT $3::bigint[])) AS at$, unnest((SELECT $4::text[])) AS by$) AS sent$ LEFT JOIN LATERAL (SELECT * FROM "notes" WHERE scope = $1 AND id = sent$.id$ AND (scope, id) >= (coalesce((SELECT $1), ('' < ALL (SELECT generate_series(1, 500)::text))::text), sent$.id$) OFFSET 0) AS found$ ON true