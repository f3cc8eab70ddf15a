-- One log: what it is called, and which keys have signed it.
CREATE TABLE log (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- First line of every checkpoint.
    origin     TEXT    NOT NULL,
    -- Counts up with each accepted fork.
    epoch      INTEGER NOT NULL CHECK (epoch >= 1),
    created_us INTEGER NOT NULL
) STRICT;

-- Entries: leaves of the tree. What stands beside the body is taken from it, to be searched.
CREATE TABLE entry (
    sequence  INTEGER PRIMARY KEY CHECK (sequence >= 0),
    at_us     INTEGER NOT NULL,
    action    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    actor     TEXT,
    patient   TEXT,
    room      TEXT,
    encounter TEXT,
    -- SHA-256(0x00 || body), RFC 6962 2.1.
    leaf      BLOB    NOT NULL CHECK (length(leaf) = 32),
    body      BLOB    NOT NULL
) STRICT;
CREATE INDEX entry_at ON entry (at_us);
CREATE INDEX entry_actor ON entry (actor) WHERE actor IS NOT NULL;
CREATE INDEX entry_patient ON entry (patient) WHERE patient IS NOT NULL;
CREATE INDEX entry_encounter ON entry (encounter) WHERE encounter IS NOT NULL;

-- Full tiles of 256 hashes (C2SP tlog-tiles); what is right of them follows from the entries.
CREATE TABLE tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB    NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

-- Signed notes (C2SP tlog-checkpoint), one a transaction.
CREATE TABLE checkpoint (
    size  INTEGER PRIMARY KEY CHECK (size >= 1),
    at_us INTEGER NOT NULL,
    note  TEXT    NOT NULL
) STRICT;

-- What witnesses signed (C2SP tlog-cosignature): a signature line of the checkpoint's note.
CREATE TABLE cosignature (
    size    INTEGER NOT NULL,
    witness TEXT    NOT NULL,
    line    TEXT    NOT NULL,
    PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;

-- Keys of details, one for each subject and year, wrapped under the master key. Deleting one is
-- how details are destroyed.
CREATE TABLE detail_key (
    subject TEXT    NOT NULL,
    year    INTEGER NOT NULL,
    -- As entries name it.
    id      TEXT    NOT NULL UNIQUE,
    wrapped BLOB    NOT NULL,
    PRIMARY KEY (subject, year)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER log_kept BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER log_fixed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER entry_fixed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER tile_kept BEFORE DELETE ON tile
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER tile_fixed BEFORE UPDATE ON tile
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER checkpoint_kept BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER checkpoint_fixed BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER cosignature_kept BEFORE DELETE ON cosignature
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER cosignature_fixed BEFORE UPDATE ON cosignature
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER detail_key_fixed BEFORE UPDATE ON detail_key
BEGIN SELECT RAISE(ABORT, 'a detail key is destroyed or kept, never changed'); END;
