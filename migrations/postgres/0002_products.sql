CREATE TABLE "products" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "name" text CHECK (deleted OR "name" IS NOT NULL),
  "code" text,
  "price" bigint CHECK (deleted OR "price" IS NOT NULL),
  "stock" bigint CHECK (deleted OR "stock" IS NOT NULL) CHECK ("stock" BETWEEN -9007199254740991 AND 9007199254740991),
  "seen_at" timestamptz,
  "made_by" text,
  "created_at" timestamptz CHECK (deleted OR "created_at" IS NOT NULL),
  "name$" text COLLATE "C",
  "code$" text COLLATE "C",
  "price$" text COLLATE "C",
  "stock$" text COLLATE "C",
  "base$at" bigint,
  "base$by" text COLLATE "C",
  PRIMARY KEY (scope, id)
);

CREATE INDEX "products_position" ON "products" (scope, position);

CREATE INDEX "products_position_living" ON "products" (scope, position, deleted) WHERE NOT deleted;

CREATE UNIQUE INDEX "products_code_key" ON "products" (scope, "code") WHERE NOT deleted;
