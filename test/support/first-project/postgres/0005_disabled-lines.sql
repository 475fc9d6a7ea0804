ALTER TABLE driftline_deliveries ADD COLUMN disabled_at bigint NOT NULL DEFAULT 0;

UPDATE driftline_deliveries AS d SET disabled_at = e.disabled_at, next_at = 9007199254740991
FROM driftline_endpoints AS e
WHERE e.name = d.endpoint AND NOT EXISTS (
  SELECT 1 FROM driftline_deliveries AS f WHERE f.scope = d.scope AND f.endpoint = d.endpoint AND f.position < d.position
);

DROP TABLE driftline_endpoints;
