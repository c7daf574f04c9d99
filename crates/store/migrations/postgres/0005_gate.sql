-- What the gate found in a sealed dataset, for its office, and how often each bit is set in it, for the comparison with the other's.
CREATE TABLE gate_reports (
    dataset BYTEA PRIMARY KEY NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    report BYTEA NOT NULL,
    column_profile BYTEA NOT NULL
);
