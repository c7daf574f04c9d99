//! Guesses of what codes mean.

use corridor_core::CountryCode;

use super::quote;
use super::sample::Sample;
use super::words::{EMIGRATION, FEMALE, IMMIGRATION, MALE, UNKNOWN_SEX};

impl Sample {
    pub(super) fn sex_codes(&self, column: usize) -> Vec<String> {
        let codes = self.codes(column).unwrap_or_default();
        // In Spanish and Portuguese registers H is male and M female.
        let has_h = codes.iter().any(|code| code.eq_ignore_ascii_case("h"));
        let (mut female, mut male, mut unknown, mut open) = (vec![], vec![], vec![], vec![]);
        for code in codes {
            let lower = code.to_lowercase();
            let group = if has_h && lower == "m" || FEMALE.contains(&lower.as_str()) {
                &mut female
            } else if MALE.contains(&lower.as_str()) {
                &mut male
            } else if UNKNOWN_SEX.contains(&lower.as_str()) {
                &mut unknown
            } else {
                &mut open
            };
            group.push(code);
        }
        let mut lines = vec![
            "\n[codes.sex]  # guessed: in Spanish and Portuguese registers H is male and M female".to_owned(),
            format!("female = {}", to_list(&female)),
            format!("male = {}", to_list(&male)),
            format!("unknown = {}", to_list(&unknown)),
        ];
        if !open.is_empty() {
            lines.push(format!("# not understood: {}", to_list(&open)));
        }
        lines
    }

    pub(super) fn direction_codes(&self, column: usize) -> Vec<String> {
        let (mut emigration, mut immigration, mut open) = (vec![], vec![], vec![]);
        for code in self.codes(column).unwrap_or_default() {
            let lower = code.to_lowercase();
            if EMIGRATION.contains(&lower.as_str()) {
                emigration.push(code);
            } else if IMMIGRATION.contains(&lower.as_str()) {
                immigration.push(code);
            } else {
                open.push(code);
            }
        }
        let mut lines = vec![
            "\n[codes.direction]  # guessed; seen from the office that reports".to_owned(),
            format!("emigration = {}", to_list(&emigration)),
            format!("immigration = {}", to_list(&immigration)),
        ];
        if !open.is_empty() {
            lines.push(format!("# not understood: {}", to_list(&open)));
        }
        lines
    }

    pub(super) fn quality_codes(&self, column: usize) -> Vec<String> {
        let codes = self.codes(column).unwrap_or_default();
        vec![
            "\n[codes.birth_quality]  # say what each code means; imputed and estimated dates give their year only"
                .to_owned(),
            format!("# found: {}", to_list(&codes)),
            "documented = []".to_owned(),
            "declared = []".to_owned(),
            "imputed = []".to_owned(),
            "converted = []".to_owned(),
            "estimated = []".to_owned(),
        ]
    }

    /// Codes that only the office can explain: what was found, and what they may mean.
    pub(super) fn open_codes(&self, key: &str, column: usize, meanings: &[&str]) -> Vec<String> {
        let codes = self.codes(column).unwrap_or_default();
        let mut lines = vec![
            format!("\n[codes.{key}]  # say what each code means"),
            format!("# found: {}", to_list(&codes)),
        ];
        lines.extend(meanings.iter().map(|meaning| format!("{meaning} = []")));
        lines
    }

    /// Codes of countries that are not understood.
    pub(super) fn country_codes(&self, columns: &[usize]) -> Vec<String> {
        let unknown: std::collections::BTreeSet<&str> = columns
            .iter()
            .filter_map(|&column| self.codes(column))
            .flatten()
            .filter(|code| code.parse::<CountryCode>().is_err())
            .collect();
        if unknown.is_empty() {
            return Vec::new();
        }
        let title = "\n[codes.country]  # say which country each is, or \"\" for not known".to_owned();
        std::iter::once(title)
            .chain(unknown.into_iter().map(|code| format!("{} = \"\"", quote(code))))
            .collect()
    }
}

pub(super) fn to_list(codes: &[&str]) -> String {
    let quoted: Vec<String> = codes.iter().map(|code| quote(code)).collect();
    format!("[{}]", quoted.join(", "))
}
