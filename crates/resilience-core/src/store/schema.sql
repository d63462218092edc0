-- Schema 1 of run.sqlite. `index` counts images of the split from 0, as the records do.
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    provenance TEXT NOT NULL,  -- record::Provenance as JSON
    plan TEXT NOT NULL,        -- the resolved plan as JSON
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1))  -- 1: all of the plan is here
) STRICT;

CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    record TEXT NOT NULL       -- record::ModelRecord as JSON
) STRICT;

CREATE TABLE clean (
    model INTEGER NOT NULL REFERENCES model (id),
    "index" INTEGER NOT NULL,
    label INTEGER NOT NULL,
    predicted INTEGER NOT NULL,
    confidence REAL NOT NULL,
    PRIMARY KEY (model, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE attack (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model (id),
    record TEXT NOT NULL       -- record::AttackRecord as JSON
) STRICT;

CREATE TABLE outcome (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    predicted INTEGER NOT NULL,
    confidence REAL NOT NULL,
    distance REAL NOT NULL,
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE example (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    clean BLOB NOT NULL,       -- f32, little-endian, channel by channel
    adversarial BLOB NOT NULL,
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;
