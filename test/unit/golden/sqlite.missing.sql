SELECT json_extract('{}', 'driftline_missing_nonce_' || sent$.ordinal$) FROM (SELECT value$ ->> '$[0]' AS id$, value$ ->> '$[1]' AS ordinal$, value$ ->> '$[2]' AS at$, value$ ->> '$[3]' AS base_at$, value$ ->> '$[4]' AS base_deleted$ FROM (SELECT value AS value$ FROM json_each(?3) LIMIT -1) LIMIT -1) AS sent$
LEFT JOIN "notes" AS found$ ON found$.scope = ?1 AND found$.id = sent$.id$
WHERE CASE WHEN found$.id IS NULL THEN sent$.base_at$ IS NULL OR sent$.base_deleted$
ELSE (found$.deleted AND (found$.updated_at, found$.updated_by) < (sent$.at$, ?2) AND (sent$.base_at$ IS NULL OR (found$.updated_at, found$.updated_by) >= (sent$.base_at$, ?2)))
OR (sent$.base_deleted$ AND (found$.updated_at, found$.updated_by) < (sent$.base_at$, ?2)) END