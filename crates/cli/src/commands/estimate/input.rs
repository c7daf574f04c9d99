use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::Context as _;
use corridor_flows::{
    DualCounts, DualSystemError, IncompleteCells, LinkPass, LinkageErrorRates, LinkageErrors, LinkedCounts,
    LinkedStratum, PersonOutcome, RecaptureMatrix, Stratum, Trimming, to_count,
};
use serde::Deserialize;

use crate::args::EstimateArgs;
use crate::failure::input_error;
use crate::output::read_text;

/// What is to be estimated. Counts are read as any number, so that one that is no count is refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Problem {
    n1: Option<f64>,
    n2: Option<f64>,
    m: Option<f64>,
    links: Option<f64>,
    alpha: Option<f64>,
    beta: Option<f64>,
    var_alpha: Option<f64>,
    var_beta: Option<f64>,
    strata: Option<Vec<StratumInput>>,
    trimmed: Option<TrimmingInput>,
    recapture: Option<RecaptureInput>,
    persons: Option<Vec<PersonInput>>,
    cells: Option<CellsInput>,
    passes: Option<Vec<PassInput>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StratumInput {
    label: String,
    n1: f64,
    n2: f64,
    m: Option<f64>,
    links: Option<f64>,
    alpha: Option<f64>,
    beta: Option<f64>,
    var_alpha: Option<f64>,
    var_beta: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrimmingInput {
    records: f64,
    matched: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecaptureInput {
    n1: Vec<f64>,
    n2: Vec<f64>,
    matched: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonInput {
    in_1: f64,
    in_2: f64,
    links: f64,
    persons: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PassInput {
    links: f64,
    false_link_rate: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CellsInput {
    both: Vec<Vec<f64>>,
    only_1: Vec<f64>,
    only_2: Vec<f64>,
}

const HINT: &str = "give --n1, --n2 and --m, or JSON such as {\"n1\": 100, \"n2\": 100, \"m\": 20}; \
                    corridor estimate --help lists its keys";

impl Problem {
    /// Reads the flags, or else the file or standard input.
    pub(super) fn read(args: &EstimateArgs) -> anyhow::Result<Self> {
        let problem = if args.n1.is_some() {
            Self::of_flags(args)
        } else {
            let text = match &args.input {
                Some(path) if path != Path::new("-") => read_text(path)?,
                _ => read_standard_input()?,
            };
            serde_json::from_str(&text)
                .map_err(|error| input_error(format!("the input is not what is expected: {error}"), HINT))?
        };
        problem.refuse_what_would_be_ignored()?;
        Ok(problem)
    }

    fn of_flags(args: &EstimateArgs) -> Self {
        Self {
            n1: args.n1,
            n2: args.n2,
            m: args.m,
            links: args.links,
            alpha: args.alpha,
            beta: args.beta,
            var_alpha: args.var_alpha,
            var_beta: args.var_beta,
            trimmed: args
                .trim_records
                .zip(args.trim_matched)
                .map(|(records, matched)| TrimmingInput { records, matched }),
            ..Self::default()
        }
    }

    fn refuse_what_would_be_ignored(&self) -> anyhow::Result<()> {
        let total = self.n1.is_some() && self.n2.is_some() && (self.m.is_some() || self.links.is_some());
        let any_of_total = [self.n1, self.n2, self.m, self.links].iter().any(Option::is_some);
        if any_of_total && !total {
            return Err(input_error("n1, n2 and m (or links) belong together", HINT));
        }
        let alone = self.alpha.is_some() != self.beta.is_some();
        let variance_alone = self.alpha.is_none() && (self.var_alpha.is_some() || self.var_beta.is_some());
        if alone || variance_alone {
            return Err(input_error("alpha and beta belong together", HINT));
        }
        if self.links.is_some() && self.m.is_some() && self.alpha.is_none() {
            return Err(input_error("links beside m need alpha and beta", HINT));
        }
        if self.persons.is_some() && !total {
            return Err(input_error("persons need n1, n2 and links (or m)", HINT));
        }
        if (self.alpha.is_some() || self.trimmed.is_some()) && !total && self.strata.is_none() {
            return Err(input_error(
                "alpha and trimmed need n1, n2 and m (or links), or strata",
                HINT,
            ));
        }
        let is_without_more = self.recapture.is_none() && self.cells.is_none() && self.passes.is_none();
        if !total && self.strata.is_none() && is_without_more {
            return Err(input_error("there is nothing to estimate from", HINT));
        }
        Ok(())
    }

    /// Whether what is taken for matches are links, since no matches were given.
    pub(super) fn has_links_only(&self) -> bool {
        let of_stratum = |stratum: &StratumInput| stratum.m.is_none();
        self.m.is_none() && (self.links.is_some() || self.strata.iter().flatten().any(of_stratum))
    }

    /// n₁, n₂ and m: those given, or the sum of the strata. Without m, links are taken for matches.
    pub(super) fn counts(&self) -> anyhow::Result<Option<DualCounts>> {
        let given = self.total(self.m.or(self.links))?;
        let Some(strata) = &self.strata else {
            return Ok(given);
        };
        let (mut n1, mut n2, mut m) = (0, 0, 0);
        for stratum in strata {
            let counts = stratum.counts(stratum.m.or(stratum.links))?;
            n1 += counts.n1();
            n2 += counts.n2();
            m += counts.matched();
        }
        let sum = DualCounts::try_new(n1, n2, m)?;
        match given {
            Some(given) if given != sum => Err(input_error(
                format!(
                    "the strata add up to n1 {n1}, n2 {n2}, m {m}, and the total given is n1 {}, n2 {}, m {}",
                    given.n1(),
                    given.n2(),
                    given.matched()
                ),
                "correct one of them, or leave the total out",
            )),
            // Strata in which nothing is matched leave it to the pooling rule to say so.
            _ => Ok(Some(sum).filter(|sum| given.is_some() || sum.matched() > 0)),
        }
    }

    /// The total with links and the rates of linkage error.
    pub(super) fn linked(&self) -> anyhow::Result<Option<LinkedCounts>> {
        let Some(errors) = errors([self.alpha, self.beta, self.var_alpha, self.var_beta])? else {
            if self.persons.is_none() {
                return Ok(None);
            }
            // Persons without rates: linkage is taken not to err.
            let counts = self.total(self.m.or(self.links))?;
            let linked =
                |c: DualCounts| LinkedCounts::try_new(c.n1(), c.n2(), c.matched(), LinkageErrors::NONE);
            return Ok(counts.map(linked).transpose()?);
        };
        let Some(counts) = self.total(self.links.or(self.m))? else {
            return Ok(None);
        };
        Ok(Some(LinkedCounts::try_new(
            counts.n1(),
            counts.n2(),
            counts.matched(),
            errors,
        )?))
    }

    pub(super) fn strata(&self) -> anyhow::Result<Option<Vec<Stratum>>> {
        let Some(strata) = &self.strata else {
            return Ok(None);
        };
        let strata = strata.iter().map(|stratum| {
            Ok(Stratum {
                label: stratum.label.clone(),
                counts: stratum.counts(stratum.m.or(stratum.links))?,
            })
        });
        strata.collect::<anyhow::Result<_>>().map(Some)
    }

    /// Strata with links and rates, their own or those of the total; `None` when none has rates.
    pub(super) fn linked_strata(&self) -> anyhow::Result<Option<Vec<LinkedStratum>>> {
        let Some(strata) = &self.strata else {
            return Ok(None);
        };
        let mut linked = Vec::with_capacity(strata.len());
        let mut without = Vec::new();
        for stratum in strata {
            let own = [stratum.alpha, stratum.beta, stratum.var_alpha, stratum.var_beta];
            let total = [self.alpha, self.beta, self.var_alpha, self.var_beta];
            let rates = if own.iter().any(Option::is_some) {
                own
            } else {
                total
            };
            let Some(errors) = errors(rates).with_context(|| format!("stratum {}", stratum.label))? else {
                without.push(stratum.label.as_str());
                continue;
            };
            linked.push(LinkedStratum {
                label: stratum.label.clone(),
                linked: stratum.counts(stratum.links.or(stratum.m))?,
                errors,
            });
        }
        if let (Some(first), false) = (without.first(), linked.is_empty()) {
            return Err(input_error(
                format!("stratum {first} has no alpha and beta, and others have"),
                "give alpha and beta of every stratum, or of the total for those that have none",
            ));
        }
        Ok((!linked.is_empty()).then_some(linked))
    }

    pub(super) fn trimmed(&self) -> anyhow::Result<Option<Trimming>> {
        let Some(trimming) = &self.trimmed else {
            return Ok(None);
        };
        Ok(Some(Trimming {
            records: to_count("trimmed.records", trimming.records)?,
            matched: to_count("trimmed.matched", trimming.matched)?,
        }))
    }

    pub(super) fn passes(&self) -> anyhow::Result<Option<Vec<LinkPass>>> {
        let Some(passes) = &self.passes else {
            return Ok(None);
        };
        let to_pass = |pass: &PassInput| {
            Ok(LinkPass {
                links: to_count("passes.links", pass.links)?,
                false_link_rate: pass.false_link_rate,
            })
        };
        Ok(Some(passes.iter().map(to_pass).collect::<anyhow::Result<_>>()?))
    }

    pub(super) fn recapture(&self) -> anyhow::Result<Option<RecaptureMatrix>> {
        let Some(matrix) = &self.recapture else {
            return Ok(None);
        };
        Ok(Some(RecaptureMatrix::try_new(
            to_list("recapture.n1", &matrix.n1)?,
            to_list("recapture.n2", &matrix.n2)?,
            to_table("recapture.matched", &matrix.matched)?,
        )?))
    }

    /// Outcomes of persons, with how many there are of each. They add up to the total.
    pub(super) fn persons(&self) -> anyhow::Result<Option<Vec<(PersonOutcome, u64)>>> {
        let Some(persons) = &self.persons else {
            return Ok(None);
        };
        let moves = |name: &str, value: f64| -> anyhow::Result<u32> {
            let count = to_count(name, value)?;
            u32::try_from(count)
                .map_err(|_| input_error(format!("{name} is {count}: nobody moves so often"), HINT))
        };
        let mut outcomes = Vec::with_capacity(persons.len());
        for person in persons {
            let outcome = PersonOutcome {
                in_1: moves("persons.in_1", person.in_1)?,
                in_2: moves("persons.in_2", person.in_2)?,
                links: moves("persons.links", person.links)?,
            };
            outcomes.push((outcome, to_count("persons.persons", person.persons)?));
        }
        let sum = |of: fn(&PersonOutcome) -> u32| -> u64 {
            let each = outcomes
                .iter()
                .map(|(person, count)| u64::from(of(person)).saturating_mul(*count));
            each.fold(0, u64::saturating_add)
        };
        let sums = [sum(|p| p.in_1), sum(|p| p.in_2), sum(|p| p.links)];
        let total = self.total(self.links.or(self.m))?;
        let total = total.map(|counts| [counts.n1(), counts.n2(), counts.matched()]);
        if total.is_some_and(|total| total != sums) {
            let [n1, n2, links] = sums;
            return Err(input_error(
                format!(
                    "the persons' moves add up to n1 {n1}, n2 {n2}, links {links}, which is not the total given"
                ),
                "correct one of them",
            ));
        }
        Ok(Some(outcomes))
    }

    pub(super) fn cells(&self) -> anyhow::Result<Option<IncompleteCells>> {
        let Some(cells) = &self.cells else {
            return Ok(None);
        };
        Ok(Some(IncompleteCells::try_new(
            to_table("cells.both", &cells.both)?,
            to_list("cells.only_1", &cells.only_1)?,
            to_list("cells.only_2", &cells.only_2)?,
        )?))
    }

    fn total(&self, both: Option<f64>) -> anyhow::Result<Option<DualCounts>> {
        let (Some(n1), Some(n2), Some(both)) = (self.n1, self.n2, both) else {
            return Ok(None);
        };
        Ok(Some(DualCounts::try_new(
            to_count("n1", n1)?,
            to_count("n2", n2)?,
            to_count("m", both)?,
        )?))
    }
}

impl StratumInput {
    fn counts(&self, both: Option<f64>) -> anyhow::Result<DualCounts> {
        let count = |name: &str, value| to_count(&format!("{name} of stratum {}", self.label), value);
        let Some(both) = both else {
            return Err(input_error(
                format!("stratum {} has neither m nor links", self.label),
                HINT,
            ));
        };
        let (n1, n2, both) = (count("n1", self.n1)?, count("n2", self.n2)?, count("m", both)?);
        DualCounts::try_new(n1, n2, both)
            .map_err(|problem| DualSystemError::Stratum {
                label: self.label.clone(),
                problem: Box::new(problem),
            })
            .map_err(anyhow::Error::from)
    }
}

/// The rates of linkage error, when alpha and beta are given.
fn errors(rates: [Option<f64>; 4]) -> anyhow::Result<Option<LinkageErrors>> {
    let [alpha, beta, var_alpha, var_beta] = rates;
    let (Some(alpha), Some(beta)) = (alpha, beta) else {
        if rates.iter().any(Option::is_some) {
            return Err(input_error("alpha and beta belong together", HINT));
        }
        return Ok(None);
    };
    Ok(Some(LinkageErrors::try_from(LinkageErrorRates {
        alpha,
        beta,
        var_alpha: var_alpha.unwrap_or(0.0),
        var_beta: var_beta.unwrap_or(0.0),
    })?))
}

fn to_list(name: &str, values: &[f64]) -> Result<Vec<u64>, DualSystemError> {
    values.iter().map(|&value| to_count(name, value)).collect()
}

fn to_table(name: &str, rows: &[Vec<f64>]) -> Result<Vec<Vec<u64>>, DualSystemError> {
    rows.iter().map(|row| to_list(name, row)).collect()
}

fn read_standard_input() -> anyhow::Result<String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(input_error("there are no counts", HINT));
    }
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .map_err(|error| input_error(format!("cannot read standard input: {error}"), HINT))?;
    Ok(text)
}
