//! What a rehearsal found, for machines and in plain words.

use serde::Serialize;

use crate::frequency::FrequencyScore;
use crate::gate::{Attack, Gate, Verdict};
use crate::guess::Score;
use crate::scheme::Scheme;

/// What a rehearsal found. Holds counts and shares, and nothing about anyone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReport {
    /// The scheme attacked.
    pub scheme: Scheme,
    /// Seeds of the runs of which the rows have the worst.
    pub seeds: Vec<u64>,
    /// Records of the target before sampling.
    pub target_count: usize,
    /// Records of the attacker's list before sampling.
    pub list_count: usize,
    /// Target records that are in the list, before sampling.
    pub common_count: usize,
    /// One row for each attack, in the order of [`Attack::ALL`].
    pub rows: Vec<GateRow>,
    /// Frequency attack on each field, for schemes with filters per field.
    pub fields: Vec<FrequencyScore>,
}

/// One attack: what it found in the target, what in the control, and what that means. Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateRow {
    /// The attack.
    #[serde(flatten)]
    pub attack: Attack,
    /// Target records attacked.
    pub target_count: usize,
    /// Records of the list used.
    pub list_count: usize,
    /// Target records that are in the list and were not known before.
    pub overlap_count: usize,
    /// Share of those named right, the largest over seeds.
    pub top1: f64,
    /// Share right among the most confident 5 % of guesses, the largest over seeds.
    pub precision_top5: f64,
    /// The same share of the control, the smallest over seeds.
    pub control_top1: f64,
    /// The same share of the control, the smallest over seeds.
    pub control_precision_top5: f64,
    /// What may and what must be found.
    pub gate: Gate,
    /// What follows.
    pub verdict: Verdict,
}

impl GateRow {
    pub(crate) fn new(attack: Attack, counts: (usize, usize), score: Score, control: Score) -> Self {
        let mut row = Self {
            attack,
            target_count: counts.0,
            list_count: counts.1,
            overlap_count: score.overlap_count,
            top1: score.top1,
            precision_top5: score.precision_top5,
            control_top1: control.top1,
            control_precision_top5: control.precision_top5,
            gate: attack.gate(),
            verdict: Verdict::Inconclusive,
        };
        row.judge();
        row
    }

    /// Takes over what another run found where that is worse.
    pub(crate) fn worsen(&mut self, other: &Self) {
        self.top1 = self.top1.max(other.top1);
        self.precision_top5 = self.precision_top5.max(other.precision_top5);
        self.control_top1 = self.control_top1.min(other.control_top1);
        self.control_precision_top5 = self.control_precision_top5.min(other.control_precision_top5);
        self.judge();
    }

    fn judge(&mut self) {
        let gate = self.gate;
        let Some(most_top1) = gate.most_top1 else {
            self.verdict = Verdict::NoLimit;
            return;
        };
        let withstood = self.top1 <= most_top1
            && gate
                .most_precision_top5
                .is_none_or(|most| self.precision_top5 <= most);
        let control_fell = self.control_top1 >= gate.control_top1
            && gate
                .control_precision_top5
                .is_none_or(|least| self.control_precision_top5 >= least);
        self.verdict = match (withstood, control_fell) {
            (false, _) => Verdict::Broken,
            (true, false) => Verdict::Inconclusive,
            (true, true) => Verdict::Withstood,
        };
    }

    /// The row as a sentence or two, for the office whose people they are.
    fn to_words(&self) -> String {
        let named = (self.top1 * self.overlap_count as f64).round();
        let finding = format!(
            "{who} would name {named} of {} people ({}) right",
            self.overlap_count,
            percent(self.top1),
            who = match self.attack {
                Attack::Overlap { percent: 100 } =>
                    "Someone with a list of exactly your people, without the key,".to_owned(),
                Attack::Overlap { percent: 50 } =>
                    "Someone with a list of half of your people, without the key,".to_owned(),
                Attack::Overlap { percent } =>
                    format!("Someone with a list of {percent} % of your people, without the key,"),
                Attack::OwnList => "Someone with the attacker's list, without the key,".to_owned(),
                Attack::Seeded { percent, adaptive } => format!(
                    "Someone with that list who knows the filters of {percent} % of the people in it{}",
                    if adaptive {
                        " and looks for near neighbours"
                    } else {
                        ""
                    }
                ),
                Attack::KnownPairs { count, matched } => format!(
                    "Someone with that list who knows the filters of {count} people and regresses bits on tokens{}",
                    if matched {
                        ", following the encoding's own curve,"
                    } else {
                        ""
                    }
                ),
                Attack::TwoKeys =>
                    "Someone who gets the same file under two keys, without either,".to_owned(),
            }
        );
        format!(
            "{finding}; of their surest twentieth of guesses, {} are right. Of classic Bloom filters it is {}. {}",
            percent(self.precision_top5),
            percent(self.control_top1),
            match self.verdict {
                Verdict::Broken => format!(
                    "More than the {} allowed: BROKEN.",
                    percent(self.gate.most_top1.unwrap_or(0.0))
                ),
                Verdict::NoLimit =>
                    "No limit is set: who knows many people's filters is beyond what an encoding withstands."
                        .to_owned(),
                Verdict::Inconclusive => format!(
                    "These should be {}, so nothing follows.",
                    percent(self.gate.control_top1)
                ),
                Verdict::Withstood => "Withstood.".to_owned(),
            }
        )
    }
}

impl GateReport {
    /// The worst verdict: broken before inconclusive before withstood, attacks without a limit aside. Nothing attacked is
    /// inconclusive.
    pub fn verdict(&self) -> Verdict {
        let has = |verdict| self.rows.iter().any(|row| row.verdict == verdict);
        if has(Verdict::Broken) {
            Verdict::Broken
        } else if has(Verdict::Inconclusive) || !has(Verdict::Withstood) {
            Verdict::Inconclusive
        } else {
            Verdict::Withstood
        }
    }

    /// What was found, a line for each attack, and what it does not say.
    pub fn to_words(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.rows.iter().map(GateRow::to_words).collect();
        lines.extend(self.fields.iter().map(|field| {
            format!(
                "Someone who knows how often values occur would read {} of the values of {} off its filters; \
                 naming the commonest value every time gives {}.",
                percent(field.recovered),
                field.field,
                percent(field.guessed_blindly)
            )
        }));
        lines.push(
            "Someone with the key needs none of this: a dictionary names everybody, in every encoding."
                .to_owned(),
        );
        lines
    }
}

/// `0.1234` → `12.3 %`; small shares with a digit more.
fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 {
        "0 %".to_owned()
    } else if value < 1.0 {
        format!("{value:.2} %")
    } else {
        format!("{value:.1} %")
    }
}
