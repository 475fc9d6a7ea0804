CREATE TABLE "products" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "name" text CHECK (deleted OR "name" IS NOT NULL),
  "stock" bigint CHECK (deleted OR "stock" IS NOT NULL) CHECK ("stock" BETWEEN -9007199254740991 AND 9007199254740991),
  "best_price" bigint CHECK (deleted OR "best_price" IS NOT NULL),
  "made_by" text,
  "created_at" timestamptz CHECK (deleted OR "created_at" IS NOT NULL),
  "stock$" text COLLATE "C",
  PRIMARY KEY (scope, id)
);

CREATE INDEX "products_position" ON "products" (scope, position);

CREATE INDEX "products_position_living" ON "products" (scope, position, deleted) WHERE NOT deleted;
