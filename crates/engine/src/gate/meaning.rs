use corridor_core::{GateCheckName, GateOutcome};

/// What a figure is, and where it failed what to do.
pub(super) fn meaning(name: GateCheckName, outcome: GateOutcome) -> String {
    let what = what(name);
    match outcome {
        GateOutcome::Passed => what.to_owned(),
        GateOutcome::Noted => format!("{what}; told, not judged"),
        GateOutcome::Failed => format!("{what}: {}", advice(name)),
    }
}

const fn what(name: GateCheckName) -> &'static str {
    match name {
        GateCheckName::FilterLength => "bits of a filter",
        GateCheckName::RecordCount => "records, against those declared",
        GateCheckName::Fill => "share of bits set",
        GateCheckName::WeightSpread => "spread of the bits set per record, 1 if bits were independent",
        GateCheckName::ColumnVariation => "variation of the fill of bit positions",
        GateCheckName::ColumnGini => "Gini coefficient of the fill of bit positions",
        GateCheckName::ColumnJensenShannon => "Jensen-Shannon distance of bit positions from uniform",
        GateCheckName::SimilaritySpread => "spread of similarities, 1 for random bits",
        GateCheckName::EmptyFilters => "filters with no bit set or all",
        GateCheckName::DuplicateFilters => "filters that are those of another person",
        GateCheckName::NearDuplicates => "records that nearly equal another person's",
        GateCheckName::Exposure1 => "records with a near neighbour among those sampled",
        GateCheckName::Exposure3 => "records with three near neighbours among those sampled",
        GateCheckName::FiltersPerPerson => "records of persons with many different filters",
        GateCheckName::SmallStrata => "records in small strata of what is in clear",
        GateCheckName::SmallBlocks => "records in small blocks",
        GateCheckName::Drift => "distance to the other office's bit frequencies, in steps of 0.05",
    }
}

const fn advice(name: GateCheckName) -> &'static str {
    match name {
        GateCheckName::FilterLength | GateCheckName::RecordCount => {
            "the file is not the one that was agreed or declared; encode the register again under this agreement"
        }
        GateCheckName::Fill
        | GateCheckName::WeightSpread
        | GateCheckName::ColumnVariation
        | GateCheckName::ColumnGini
        | GateCheckName::ColumnJensenShannon => {
            "filters of the agreed profile do not look so: they may be of another profile, random bits, or of a register in which one \
             value stands in most rows; check the schema and, with corridor inspect, the register"
        }
        GateCheckName::SimilaritySpread => {
            "people resemble each other otherwise under the agreed profile; these may be filters of another one, or random bits"
        }
        GateCheckName::EmptyFilters => {
            "such filters tell nobody apart; leave out the records that have nothing to encode"
        }
        GateCheckName::DuplicateFilters => {
            "the same people stand in the register under several ids; give the mapping a person_key, or leave the repetitions out"
        }
        GateCheckName::NearDuplicates | GateCheckName::Exposure1 | GateCheckName::Exposure3 => {
            "a register that holds many spellings of the same people under different ids would tell which of them the other office \
             knows; give the mapping a person_key, leave repetitions out, or agree on a larger share"
        }
        GateCheckName::FiltersPerPerson => {
            "a person has a few spellings in a register, not many: check the person_key of the mapping"
        }
        GateCheckName::SmallStrata => {
            "few people share what is in clear of them; make the rare values unknown before encoding, or agree on wider age bands, \
             fewer variables or another gate.minimum_stratum"
        }
        GateCheckName::SmallBlocks => {
            "few people share a block; raise minimum_size of the schema's blocking to what was agreed, or agree on a smaller \
             gate.minimum_stratum"
        }
        GateCheckName::Drift => {
            "the two offices' filters are not made alike; both compare corridor schema vectors, and the mapping of names and dates"
        }
    }
}
