use serde::Serialize;

use super::DualSystemError;
use crate::number::real;

/// Links that were made in one pass, as those of a match key or of clerical review, and how many of them a sample found false.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkPass {
    /// Links.
    pub links: u64,
    /// Share of them that are false.
    pub false_link_rate: f64,
}

/// Links of all passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PassedLinks {
    /// Links.
    pub links: u64,
    /// Of these, expected to be false: Σ links · rate.
    pub expected_false: f64,
    /// Share expected to be true.
    pub precision: f64,
}

/// What the error rates of single passes make of all links, as the Office for National Statistics reports the linkage of the 2011 Census
/// with the Patient Register.
///
/// # Errors
/// When there is no link, or a rate is not between 0 and 1.
pub fn links_of_passes(passes: &[LinkPass]) -> Result<PassedLinks, DualSystemError> {
    let (mut links, mut expected_false) = (0_u64, 0.0);
    for pass in passes {
        let rate = pass.false_link_rate;
        if !(0.0..=1.0).contains(&rate) {
            return Err(DualSystemError::OutOfRange {
                name: "passes.false_link_rate",
                value: rate,
                range: "a share of the links, from 0 to 1, is needed",
            });
        }
        links = links.saturating_add(pass.links);
        expected_false += real(pass.links) * rate;
    }
    if links == 0 {
        return Err(DualSystemError::Nothing("links in the passes"));
    }
    Ok(PassedLinks {
        links,
        expected_false,
        precision: 1.0 - expected_false / real(links),
    })
}
