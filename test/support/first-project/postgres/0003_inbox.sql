CREATE TABLE driftline_inbox (
  scope text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  received_at bigint NOT NULL,
  outcome text NOT NULL,
  details text NOT NULL,
  PRIMARY KEY (scope, source, id)
);

CREATE INDEX driftline_inbox_received ON driftline_inbox (received_at);
