SELECT (SELECT count(*) FROM "notes"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1)) + (SELECT count(*) FROM "notes"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted);
SELECT (SELECT count(*) FROM "tags"
WHERE scope = ?1 AND position > ?2 AND NOT deleted AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1)) + (SELECT count(*) FROM "tags"
WHERE scope = ?1 AND position > ?3 AND position > ?2 AND position <= (SELECT position - CAST(0 AS bigint) FROM driftline_scopes WHERE scope = ?1) AND deleted)