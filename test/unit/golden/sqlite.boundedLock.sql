INSERT INTO driftline_scopes AS scope$ (scope, incarnation, position, watermark, row_bytes) VALUES (?1, ?2, CAST(?3 AS bigint), 0, CAST(?4 AS bigint))
ON CONFLICT (scope) DO UPDATE SET position = scope$.position + excluded.position,
row_bytes = CASE WHEN scope$.row_bytes < excluded.row_bytes THEN excluded.row_bytes ELSE scope$.row_bytes END RETURNING incarnation, position, watermark,
CASE WHEN row_bytes > ?5 THEN json_extract('{}', 'driftline_large_nonce_' || position) END,
CASE WHEN position = CAST(?6 AS bigint) THEN NULL WHEN position < CAST(?6 AS bigint) OR position - CAST(?6 AS bigint) > CAST(?7 AS bigint) OR row_bytes > CAST(?8 AS bigint) / (2 * (position - CAST(?6 AS bigint)))
THEN json_extract('{}', 'driftline_full_nonce_' || position) END