SELECT count(CASE WHEN found$.updated_at = sent$.at$ AND found$.updated_by = sent$.by$ THEN 1 END),
count(CASE WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, sent$.by$) THEN 1 END),
string_agg(CASE WHEN found$.id IS NULL OR (found$.updated_at, found$.updated_by) < (sent$.at$, sent$.by$) THEN sent$.id$ END, '
')
FROM (SELECT key AS id$, CAST(substr(value, 1, 16) AS integer) AS at$, substr(value, 17) AS by$ FROM json_each(?2) LIMIT -1) AS sent$ LEFT JOIN "notes" AS found$ ON found$.scope = ?1 AND found$.id = sent$.id$