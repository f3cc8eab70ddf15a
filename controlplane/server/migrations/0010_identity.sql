-- People of the workforce, as the identity provider names them. `display_name` is personal data.
CREATE TABLE workforce_user (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    display_name TEXT NOT NULL,
    -- Names of roles, separated by spaces; as the provider said at the last login.
    roles TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    last_seen_s INTEGER NOT NULL,
    -- Set: no login, whatever the provider says.
    revoked_s INTEGER,
    UNIQUE (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Their sessions. Only hashes of the cookies are kept.
CREATE TABLE workforce_session (
    token_sha256 BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES workforce_user (id) ON DELETE CASCADE,
    -- Names of roles, separated by spaces; those of the user at login, and never more.
    roles TEXT NOT NULL,
    -- The provider's session, for back-channel logout.
    provider_sid TEXT,
    acr TEXT,
    -- Separated by spaces.
    amr TEXT NOT NULL,
    -- Whether that was more than one factor, and when.
    multi_factor INTEGER NOT NULL,
    authenticated_s INTEGER NOT NULL,
    created_s INTEGER NOT NULL,
    last_used_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    -- Set: it opens nothing until its user logs in again.
    locked_s INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX workforce_session_user ON workforce_session (user_id);
CREATE INDEX workforce_session_provider ON workforce_session (provider_sid);

-- Tokens that count once (RFC 7519 §4.1.7), until they have expired anyway.
CREATE TABLE used_token (
    id_sha256 BLOB PRIMARY KEY,
    expires_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_token_expiry ON used_token (expires_s);
