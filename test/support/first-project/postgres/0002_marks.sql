CREATE TABLE driftline_marks (
  scope text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (scope, position)
);
