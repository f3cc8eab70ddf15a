-- The same tables as in SQLite; the schema is chosen by the connection.
CREATE TABLE log (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    -- First line of every checkpoint.
    origin     TEXT   NOT NULL,
    -- Counts up with each accepted fork.
    epoch      BIGINT NOT NULL CHECK (epoch >= 1),
    created_us BIGINT NOT NULL
);

-- Entries: leaves of the tree. What stands beside the body is taken from it, to be searched.
CREATE TABLE entry (
    sequence  BIGINT PRIMARY KEY CHECK (sequence >= 0),
    at_us     BIGINT NOT NULL,
    action    TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    actor     TEXT,
    patient   TEXT,
    room      TEXT,
    encounter TEXT,
    -- SHA-256(0x00 || body), RFC 6962 2.1.
    leaf      BYTEA  NOT NULL CHECK (length(leaf) = 32),
    body      BYTEA  NOT NULL
);
CREATE INDEX entry_at ON entry (at_us);
CREATE INDEX entry_actor ON entry (actor) WHERE actor IS NOT NULL;
CREATE INDEX entry_patient ON entry (patient) WHERE patient IS NOT NULL;
CREATE INDEX entry_encounter ON entry (encounter) WHERE encounter IS NOT NULL;

-- Full tiles of 256 hashes (C2SP tlog-tiles); what is right of them follows from the entries.
CREATE TABLE tile (
    level  BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hashes BYTEA  NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, number)
);

-- Signed notes (C2SP tlog-checkpoint), one a transaction.
CREATE TABLE checkpoint (
    size  BIGINT PRIMARY KEY CHECK (size >= 1),
    at_us BIGINT NOT NULL,
    note  TEXT   NOT NULL
);

-- What witnesses signed (C2SP tlog-cosignature): a signature line of the checkpoint's note.
CREATE TABLE cosignature (
    size    BIGINT NOT NULL,
    witness TEXT   NOT NULL,
    line    TEXT   NOT NULL,
    PRIMARY KEY (size, witness)
);

-- Keys of details, one for each subject and year, wrapped under the master key. Deleting one is
-- how details are destroyed.
CREATE TABLE detail_key (
    subject TEXT    NOT NULL,
    year    BIGINT NOT NULL,
    -- As entries name it.
    id      TEXT    NOT NULL UNIQUE,
    wrapped BYTEA    NOT NULL,
    PRIMARY KEY (subject, year)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER log_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tile_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON tile
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cosignature_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cosignature
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER detail_key_fixed BEFORE UPDATE OR TRUNCATE ON detail_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
