CREATE TABLE "lists" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "name" text CHECK (deleted OR "name" IS NOT NULL),
  PRIMARY KEY (scope, id)
);

CREATE INDEX "lists_position" ON "lists" (scope, position);

CREATE INDEX "lists_position_living" ON "lists" (scope, position, deleted) WHERE NOT deleted;

CREATE TABLE "todos" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "title" text CHECK (deleted OR "title" IS NOT NULL),
  "done" boolean CHECK (deleted OR "done" IS NOT NULL),
  "priority" bigint CHECK (deleted OR "priority" IS NOT NULL),
  "notes" text,
  "amount" double precision,
  "list_id" text,
  PRIMARY KEY (scope, id)
);

CREATE INDEX "todos_position" ON "todos" (scope, position);

CREATE INDEX "todos_position_living" ON "todos" (scope, position, deleted) WHERE NOT deleted;
