//! A manifest to start from.

use std::collections::BTreeMap;

use corridor_core::CountryCode;

use super::prefill::{Prefill, published_rules};

const TEMPLATE: &str = include_str!("template.toml");

/// A manifest to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestTemplate {
    /// TOML with every key explained.
    pub text: String,
    /// Keys that were filled in from published rules, which may be old or wrong.
    pub filled: usize,
}

/// A manifest with every key explained and unknown, but for `country` what is published of its rules: each such line names its source and
/// asks to be checked. A manifest without a country is no manifest yet.
pub fn manifest_template(country: Option<CountryCode>) -> ManifestTemplate {
    let rules = country.map(published_rules).unwrap_or_default();
    let mut left: BTreeMap<&str, &Prefill> = rules.iter().map(|rule| (rule.key.as_str(), rule)).collect();
    let (mut text, mut section, mut filled) = (String::new(), String::new(), 0);
    for line in TEMPLATE.lines() {
        let key = line.split_once(" = ").map(|(key, _)| format!("{section}.{key}"));
        let rule = key.as_deref().and_then(|key| left.remove(key));
        match (rule, country) {
            (Some(rule), _) => {
                filled += 1;
                text += &assignment(line.split(' ').next().unwrap_or_default(), rule);
            }
            (None, Some(country)) if key.as_deref() == Some("office.country") => {
                text += &format!("country = \"{country}\"");
            }
            (None, _) => text += line,
        }
        text.push('\n');
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            // Keys a table has by the country, which no line of the template stands for.
            let under = format!("{section}.");
            if section.ends_with(".by_partner") {
                let of_table: Vec<&str> = left
                    .keys()
                    .copied()
                    .filter(|key| key.starts_with(&under))
                    .collect();
                for key in of_table {
                    if let Some(rule) = left.remove(key) {
                        filled += 1;
                        text += &assignment(key.strip_prefix(&under).unwrap_or(key), rule);
                        text.push('\n');
                    }
                }
            }
        }
    }
    ManifestTemplate { text, filled }
}

fn assignment(key: &str, rule: &Prefill) -> String {
    format!("{key} = {}  # check this; {}", rule.value, rule.source)
}
