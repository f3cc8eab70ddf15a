-- One row: which incarnation of the control plane runs, and the node's name.
CREATE TABLE node (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,
    generation INTEGER NOT NULL
) STRICT;

-- The whole state of each open room, for the next incarnation. Holds personal data and ICE
-- passwords; deleted when the room ends.
CREATE TABLE room_snapshot (
    room TEXT PRIMARY KEY,
    snapshot TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One-time join links. Only hashes of the tokens are kept.
CREATE TABLE link (
    token_sha256 BLOB PRIMARY KEY,
    room TEXT NOT NULL,
    role TEXT NOT NULL,
    identity TEXT NOT NULL,
    display_name TEXT,
    room_label TEXT,
    created_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    -- Set by the first join; the browser that joined holds the session.
    used_s INTEGER,
    session_sha256 BLOB UNIQUE
) STRICT, WITHOUT ROWID;

CREATE INDEX link_expiry ON link (expires_s);

-- When each API key was first and last seen, so that an operator can tell which are unused.
CREATE TABLE api_key (
    name TEXT PRIMARY KEY,
    first_seen_s INTEGER NOT NULL,
    last_used_s INTEGER
) STRICT, WITHOUT ROWID;
