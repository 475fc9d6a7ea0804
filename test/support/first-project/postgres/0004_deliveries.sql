CREATE TABLE driftline_deliveries (
  scope text COLLATE "C" NOT NULL,
  endpoint text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  from_position bigint NOT NULL,
  id text NOT NULL,
  created_at bigint NOT NULL,
  next_at bigint NOT NULL,
  attempts bigint NOT NULL,
  last_error text NOT NULL,
  PRIMARY KEY (scope, endpoint, position)
);

CREATE INDEX driftline_deliveries_due ON driftline_deliveries (endpoint, next_at);

CREATE TABLE driftline_endpoints (
  name text COLLATE "C" NOT NULL,
  disabled_at bigint NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (name)
);
