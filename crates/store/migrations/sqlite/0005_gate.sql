-- What the gate found in a sealed dataset, for its office, and how often each bit is set in it, for the comparison with the other's.
CREATE TABLE gate_reports (
    dataset BLOB PRIMARY KEY NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    report BLOB NOT NULL,
    column_profile BLOB NOT NULL
) STRICT;
