CREATE TABLE driftline_deliveries (
  scope TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  position INTEGER NOT NULL,
  from_position INTEGER NOT NULL,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (scope, endpoint, position)
) STRICT;

CREATE INDEX driftline_deliveries_due ON driftline_deliveries (endpoint, next_at);

CREATE TABLE driftline_endpoints (
  name TEXT NOT NULL,
  disabled_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (name)
) STRICT;
