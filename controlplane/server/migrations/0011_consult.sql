-- Consults that people of the workforce opened on the clinic page. `label` is what they call it:
-- personal data.
CREATE TABLE consult (
    room TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    opened_by TEXT NOT NULL REFERENCES workforce_user (id),
    opened_s INTEGER NOT NULL,
    -- Set: it is over, and no link to it is made any more.
    ended_s INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX consult_opened ON consult (opened_by, opened_s);
