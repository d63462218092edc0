-- Schema 3 of run.sqlite. `index` counts images of the split from 0, as the records do.
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    provenance TEXT NOT NULL,  -- record::Provenance as JSON
    plan TEXT NOT NULL,        -- plan::Plan as JSON
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1))  -- 1: all of the plan is here
) STRICT;

-- Clean images that are shown beside their adversarial ones.
CREATE TABLE picture (
    "index" INTEGER PRIMARY KEY,
    channels INTEGER NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    pixels BLOB NOT NULL       -- u8, channel by channel
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
    right REAL NOT NULL,
    PRIMARY KEY (model, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE attack (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model (id),
    stage INTEGER NOT NULL,    -- as in the record; here so that no stage is begun twice
    record TEXT NOT NULL,      -- record::AttackRecord as JSON
    UNIQUE (model, stage)
) STRICT;

-- Images that are decided, of attacks that are finished or under way.
CREATE TABLE outcome (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    predicted INTEGER NOT NULL,
    confidence REAL NOT NULL,
    distance REAL NOT NULL,
    margin REAL NOT NULL,
    right REAL NOT NULL,
    round INTEGER NOT NULL,
    step INTEGER NOT NULL,
    forwards INTEGER NOT NULL,
    backwards INTEGER NOT NULL,
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;

-- Parts of an attack that are carried through: a run that goes on does not do them again.
CREATE TABLE unit (
    attack INTEGER NOT NULL REFERENCES attack (id),
    first INTEGER NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (attack, first, round)
) STRICT, WITHOUT ROWID;

CREATE TABLE example (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    pixels BLOB NOT NULL,      -- f32, little-endian, channel by channel
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;

-- Nearest misclassified points, of attacks that were run for them; older stores lack both tables, and
-- have no such attack. They may lie outside the attack's radius.
CREATE TABLE nearest (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    distance REAL NOT NULL,
    predicted INTEGER NOT NULL,
    margin REAL NOT NULL,
    round INTEGER NOT NULL,
    step INTEGER NOT NULL,
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE nearest_example (
    attack INTEGER NOT NULL REFERENCES attack (id),
    "index" INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    pixels BLOB NOT NULL,      -- as in example
    PRIMARY KEY (attack, "index")
) STRICT, WITHOUT ROWID;

-- What was looked for in a finished result. Older stores lack this table until it is needed.
CREATE TABLE audit (
    model INTEGER PRIMARY KEY REFERENCES model (id),
    record TEXT NOT NULL       -- audit::AuditRecord as JSON
) STRICT;
