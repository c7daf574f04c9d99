//! Random rounding and the cell key method, class by class.

use corridor_core::{DisclosureMethod, RuleFlag, Side};

use super::{Seen, add_up, is_of_period, stay_counts};
use crate::classes::{Account, Class, Measure};
use crate::perturb::{CellKey, PerturbationRule, PerturbationSecret, PerturbationTable, round_to_threes};
use crate::published::FlowCounts;
use crate::reconcile::LAG_STEPS;
use crate::table::CorridorTable;
use crate::terms::FlowTerms;

pub(super) fn see(corridor: &CorridorTable, terms: &FlowTerms, secret: &PerturbationSecret) -> Seen {
    let perturbation = Perturbation {
        table: match terms.disclosure.method {
            DisclosureMethod::CellKey => Some(
                PerturbationTable::try_new(PerturbationRule::default())
                    .expect("the default rule is a sound one"),
            ),
            DisclosureMethod::RandomRounding | DisclosureMethod::Suppression => None,
        },
        secret,
        corridor: corridor.corridor.to_string(),
    };
    let rows: Vec<FlowCounts> = corridor
        .rows
        .iter()
        .map(|row| {
            // Rows of the same moves are one, and get the same noise.
            let place: Vec<String> = row.cells.iter().map(ToString::to_string).collect();
            let counts = add_up(&perturbation.classes(&place.join(","), &row.account));
            FlowCounts::from_array(counts.map(Some))
        })
        .collect();
    let lags = (0..corridor.lags[0].len())
        .map(|step| {
            let moves = corridor.lags[0][step] + corridor.lags[1][step];
            let label = LAG_STEPS.get(step).map_or("", |(_, _, label)| label);
            Some(perturbation.part(&format!("lag|{label}"), moves))
        })
        .collect();
    let stays = stay_counts(corridor)
        .into_iter()
        .map(|(place, moves)| {
            let (period, side, rule, flag) = place;
            // What the rows show of the agreed rule stands here too.
            if rule == terms.statistics.duration_rule && flag == RuleFlag::Yes {
                let shown = corridor
                    .rows
                    .iter()
                    .zip(&rows)
                    .find(|(row, _)| is_of_period(row, period));
                let moves = shown.and_then(|(_, counts)| {
                    counts.get(match side {
                        Side::Origin => Measure::EmigrationsOwn,
                        Side::Destination => Measure::Immigrations,
                    })
                });
                return (place, moves);
            }
            let identity = format!(
                "stay|{period}|{}|{}|{}",
                side.as_str(),
                rule.as_str(),
                flag.as_str()
            );
            (place, Some(perturbation.part(&identity, moves)))
        })
        .collect();
    Seen { rows, lags, stays }
}

struct Perturbation<'a> {
    /// By cell keys where there is one, else by rounding.
    table: Option<PerturbationTable>,
    secret: &'a PerturbationSecret,
    corridor: String,
}

impl Perturbation<'_> {
    fn classes(&self, place: &str, account: &Account) -> [u64; Class::ALL.len()] {
        std::array::from_fn(|class| {
            let identity = format!("{}|{place}|{class}", self.corridor);
            self.change(&identity, account.counts[class], account.keys[class].into())
        })
    }

    /// A count of which no record keys are known: its place stands for them.
    fn part(&self, place: &str, moves: u64) -> u64 {
        let identity = format!("{}|{place}", self.corridor);
        let key = CellKey::of_record(self.secret, identity.as_bytes());
        self.change(&identity, moves, key)
    }

    fn change(&self, identity: &str, count: u64, key: CellKey) -> u64 {
        match &self.table {
            Some(table) => table.perturb(count, key),
            None => round_to_threes(self.secret, identity.as_bytes(), count),
        }
    }
}
