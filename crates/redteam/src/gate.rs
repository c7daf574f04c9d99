//! Which attacks an encoding has to withstand, and how well.

use std::fmt;

use serde::Serialize;

/// An attack of the gates, as an adversary with the attacker's list and without the key would run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "attack")]
pub enum Attack {
    /// Landmark graph matching with a list in which this share of the target's people stands as the target has them.
    Overlap {
        /// Share of the target's people in the list, percent.
        percent: u32,
    },
    /// Landmark graph matching with the attacker's own list.
    OwnList,
    /// The same, knowing for a share of the people in the list which filter is theirs.
    Seeded {
        /// Share known, percent.
        percent: u32,
        /// Whether similarities are changed by the lens that shows most.
        adaptive: bool,
    },
    /// Regression of bits on tokens over known people, then a dictionary of the list.
    KnownPairs {
        /// People known.
        count: usize,
        /// Whether the regression may follow the curve of a majority scheme where that predicts better; otherwise
        /// it is plain ridge regression.
        matched: bool,
    },
    /// The same file under two keys, shuffled.
    TwoKeys,
}

/// What the default profile may give away at most, and what the positive control must give away at least. All are
/// shares in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gate {
    /// Most of the people in the list that may be named right. None where no limit is set: the attack is stronger than those
    /// the limits were set with, and what it finds is told as it is.
    pub most_top1: Option<f64>,
    /// Most of the most confident 5 % of guesses that may be right.
    pub most_precision_top5: Option<f64>,
    /// Least that must be named right of the control.
    pub control_top1: f64,
    /// Least of the most confident 5 % that must be right of the control.
    pub control_precision_top5: Option<f64>,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { percent } => write!(f, "graph matching, list of {percent} %"),
            Self::OwnList => f.write_str("graph matching, own list"),
            Self::Seeded { percent, adaptive } => {
                let lens = if *adaptive { ", adaptive" } else { "" };
                write!(f, "with {percent} % known{lens}")
            }
            Self::KnownPairs { count, matched } => {
                let curve = if *matched { ", majority kernel" } else { "" };
                write!(f, "regression on {count} known{curve}")
            }
            Self::TwoKeys => f.write_str("same file, two keys"),
        }
    }
}

impl Attack {
    /// Every attack, in the order of reports.
    pub const ALL: [Self; 15] = [
        Self::Overlap { percent: 100 },
        Self::Overlap { percent: 50 },
        Self::Overlap { percent: 20 },
        Self::OwnList,
        Self::Seeded {
            percent: 1,
            adaptive: false,
        },
        Self::Seeded {
            percent: 5,
            adaptive: false,
        },
        Self::Seeded {
            percent: 1,
            adaptive: true,
        },
        Self::Seeded {
            percent: 5,
            adaptive: true,
        },
        Self::KnownPairs {
            count: 50,
            matched: false,
        },
        Self::KnownPairs {
            count: 200,
            matched: false,
        },
        Self::KnownPairs {
            count: 800,
            matched: false,
        },
        Self::KnownPairs {
            count: 50,
            matched: true,
        },
        Self::KnownPairs {
            count: 200,
            matched: true,
        },
        Self::KnownPairs {
            count: 800,
            matched: true,
        },
        Self::TwoKeys,
    ];

    /// The gate of this attack. The limits hold for the default profile, as the maximum over seeds, and for files
    /// of some thousand records.
    pub fn gate(self) -> Gate {
        let gate = |most_top1, control_top1| Gate {
            most_top1: Some(most_top1),
            most_precision_top5: None,
            control_top1,
            control_precision_top5: None,
        };
        match self {
            Self::Overlap { .. } | Self::TwoKeys => gate(0.01, 0.99),
            Self::OwnList => Gate {
                most_precision_top5: Some(0.05),
                control_precision_top5: Some(1.0),
                ..gate(0.01, 0.90)
            },
            Self::Seeded { percent, .. } => gate(if percent <= 1 { 0.01 } else { 0.02 }, 0.90),
            Self::KnownPairs { matched: true, .. } => Gate {
                most_top1: None,
                ..gate(0.0, 0.80)
            },
            Self::KnownPairs { count, .. } => gate(
                match count {
                    0..=50 => 0.02,
                    51..=200 => 0.04,
                    _ => 0.15,
                },
                0.80,
            ),
        }
    }
}

/// How an encoding did at one gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It gave away more than the gate allows.
    Broken,
    /// It gave away no more, but neither did the control give away what it must: the attack was too weak here, and
    /// nothing follows.
    Inconclusive,
    /// It gave away no more, while the control fell.
    Withstood,
    /// No limit is set for this attack.
    NoLimit,
}
