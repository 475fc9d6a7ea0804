INSERT INTO driftline_scopes AS scope$ (scope, incarnation, position, watermark, row_bytes) VALUES ($1, $2, CAST($3 AS bigint), 0, CAST($4 AS bigint))
ON CONFLICT (scope) DO UPDATE SET position = scope$.position + excluded.position,
row_bytes = CASE WHEN scope$.row_bytes < excluded.row_bytes THEN excluded.row_bytes ELSE scope$.row_bytes END