-- When a run of an office was taken up last, by counting: whose turn was longest ago is served next.
CREATE TABLE turns (
    office TEXT PRIMARY KEY NOT NULL,
    turn BIGINT NOT NULL CHECK (turn > 0)
);
