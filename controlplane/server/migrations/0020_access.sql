-- Whose a consult is: people of the workforce who opened it or were invited to it.
CREATE TABLE consult_member (
    room TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES workforce_user (id) ON DELETE CASCADE,
    since_s INTEGER NOT NULL,
    PRIMARY KEY (room, user_id)
) STRICT, WITHOUT ROWID;

-- Guests with a link who wait, or were decided about. `room` and `display_name` are personal data;
-- rows go with the links of their identities.
CREATE TABLE admission (
    identity TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    display_name TEXT NOT NULL,
    since_s INTEGER NOT NULL,
    -- `waiting`, `admitted` or `turned_away`.
    state TEXT NOT NULL CHECK (state IN ('waiting', 'admitted', 'turned_away'))
) STRICT, WITHOUT ROWID;

CREATE INDEX admission_room ON admission (room);

-- Access that was taken away: tokens of the account are refused.
CREATE TABLE revocation (
    account TEXT PRIMARY KEY,
    -- `user`, `identity` or `api_key`.
    kind TEXT NOT NULL,
    -- Tokens that are not younger stay refused for ever.
    revoked_s INTEGER NOT NULL,
    -- Set: access was given back.
    restored_s INTEGER
) STRICT, WITHOUT ROWID;

-- Emergency entries. The words of the reason are in the audit log alone.
CREATE TABLE break_glass (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES workforce_user (id),
    room TEXT NOT NULL,
    reason TEXT NOT NULL,
    started_s INTEGER NOT NULL,
    -- Afterwards the room is not theirs any more.
    ends_s INTEGER NOT NULL,
    -- Set: they were sent away.
    ended_s INTEGER,
    reviewed_s INTEGER,
    reviewer TEXT,
    -- `justified` or `not_justified`.
    finding TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX break_glass_user ON break_glass (user_id, room);

-- The hash of the policies of the last start.
CREATE TABLE policy_in_force (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    hash TEXT NOT NULL
) STRICT;
