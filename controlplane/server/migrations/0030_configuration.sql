-- What the server was configured with when it last ran, so that the audit log can say what has
-- changed. Of a setting its SHA-256 alone: a value may be an address with a secret in it.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT;

-- Business-associate agreements, as the register had them (45 CFR 164.308(b)).
CREATE TABLE agreement (
    agreement TEXT PRIMARY KEY,
    entity TEXT NOT NULL,
    expires TEXT NOT NULL,
    -- JSON list.
    hosts TEXT NOT NULL
) STRICT;
