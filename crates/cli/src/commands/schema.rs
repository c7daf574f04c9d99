use std::path::Path;

use corridor_core::{Profile, SignedAgreement};
use corridor_encode::{EncodingSchema, MatchField, ReadyMadeSchema, SchemaWarning, normalisation_vectors};
use serde_json::json;

use crate::args::SchemaCommand;
use crate::failure::input_error;
use crate::output::{data, json, read_text, talk, to_columns};

pub(crate) fn run(command: SchemaCommand) -> anyhow::Result<()> {
    match command {
        SchemaCommand::List => data(&to_list()),
        SchemaCommand::Show { schema, profile } => {
            let schema = resolve(&schema, profile, Path::new(""))?;
            talk(&format!("digest {}", schema.digest()));
            data(&schema.to_json())
        }
        SchemaCommand::Check {
            schema,
            profile,
            trust,
            json: as_json,
        } => {
            let schema = resolve(&schema, profile, Path::new(""))?;
            let warnings = schema.lint(trust);
            if as_json {
                json(&json!({
                    "digest": schema.digest().to_string(),
                    "profile": schema.profile(),
                    "filter_bits": schema.filter_len().to_bits(),
                    "trust": trust,
                    "warnings": warnings,
                }))
            } else {
                data(&to_page(&schema, &warnings))
            }
        }
        SchemaCommand::Vectors => {
            let vectors = normalisation_vectors();
            talk(&format!(
                "{}, digest {}: the other office's program must print the same",
                vectors.normalisation, vectors.digest
            ));
            json(&vectors)
        }
        SchemaCommand::JsonSchema => data(EncodingSchema::JSON_SCHEMA),
    }
}

/// A ready-made schema by name, or the one in a file, relative to `folder`.
pub(crate) fn resolve(
    reference: &str,
    profile: Option<Profile>,
    folder: &Path,
) -> anyhow::Result<EncodingSchema> {
    if let Some(ready_made) = ReadyMadeSchema::find(reference) {
        return Ok(ready_made.schema(profile.unwrap_or(Profile::Saul3x2048)));
    }
    let path = folder.join(reference);
    if !path.exists() {
        let names = ReadyMadeSchema::ALL.map(|schema| schema.name).join(", ");
        return Err(input_error(
            format!("{reference} is no ready-made schema and no file"),
            format!("ready-made are {names}; corridor schema list says what they are for"),
        ));
    }
    let schema = read_schema(&path)?;
    match profile {
        Some(profile) if profile != schema.profile() => Err(input_error(
            format!(
                "{reference} is a schema of profile {}, not {profile}",
                schema.profile()
            ),
            "leave the profile out: a schema file has its own",
        )),
        _ => Ok(schema),
    }
}

fn read_schema(path: &Path) -> anyhow::Result<EncodingSchema> {
    EncodingSchema::from_json(&read_text(path)?).map_err(|error| {
        input_error(
            format!("{}: {error}", path.display()),
            "corridor schema show NAME writes one to start from; corridor schema json-schema says what a file may hold",
        )
    })
}

/// The schema an agreement names by digest: the usual one of its fields, a ready-made one, or the one in `file`.
pub(crate) fn schema_of(signed: &SignedAgreement, file: Option<&Path>) -> anyhow::Result<EncodingSchema> {
    let encoding = &signed.agreement.encoding;
    if let Some(path) = file {
        let schema = read_schema(path)?;
        if schema.digest() != encoding.schema {
            return Err(input_error(
                format!(
                    "{} is not the encoding schema the agreement names",
                    path.display()
                ),
                "ask the other office for the schema file with the digest that corridor agreement show gives",
            ));
        }
        return Ok(schema);
    }
    let usual = EncodingSchema::from_names(encoding.profile, &encoding.match_fields)
        .map_err(|error| input_error(error.to_string(), "it needs a new agreement"))?;
    let ready_made = ReadyMadeSchema::ALL.map(|schema| schema.schema(encoding.profile));
    std::iter::once(usual)
        .chain(ready_made)
        .find(|schema| schema.digest() == encoding.schema)
        .ok_or_else(|| {
            input_error(
                "the agreement names an encoding schema that this program does not have",
                "name the schema file with --schema; if there is none, both offices need the version of this program the \
                 agreement was made with, or a new agreement",
            )
        })
}

fn to_list() -> String {
    let schemas: Vec<Vec<String>> = ReadyMadeSchema::ALL
        .iter()
        .map(|ready_made| {
            let fields_under = |profile| {
                let schema = ready_made.schema(profile);
                schema
                    .fields()
                    .map(MatchField::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let (saul, clk) = (fields_under(Profile::Saul3x2048), fields_under(Profile::Clk1024));
            let fields = if saul == clk {
                saul
            } else {
                format!("{saul}; in clk-…: {clk}")
            };
            vec![ready_made.name.to_owned(), fields]
        })
        .collect();
    let mut page = String::new();
    for (ready_made, row) in ReadyMadeSchema::ALL.iter().zip(&schemas) {
        page += &format!("{:14} {}\n{:14} {}\n", row[0], ready_made.purpose, "", row[1]);
    }
    let profiles: Vec<Vec<String>> = Profile::ALL
        .iter()
        .map(|profile| {
            let trust = if profile.needs_trusted_unit() {
                "trusted with a list of the people"
            } else {
                "honest, but could look or leak"
            };
            vec![
                profile.to_string(),
                profile.measure().as_str().to_owned(),
                trust.to_owned(),
            ]
        })
        .collect();
    page.push('\n');
    page + &to_columns(&["profile", "measure", "for a linkage unit that is"], &profiles)
}

fn to_page(schema: &EncodingSchema, warnings: &[SchemaWarning]) -> String {
    let mut page = format!(
        "{} bits under {}, digest {}\n",
        schema.filter_len().to_bits(),
        schema.profile(),
        schema.digest()
    );
    let rows: Vec<Vec<String>> = schema
        .weights()
        .iter()
        .map(|field| vec![field.field.as_str().to_owned(), field.weight.to_string()])
        .collect();
    page += &to_columns(&["field", "weight of a token"], &rows);
    if warnings.is_empty() {
        page += "\nno weak choice found\n";
    }
    for warning in warnings {
        page += &format!(
            "\nwarning: {}\n  {} ({})\n",
            warning.problem, warning.advice, warning.code
        );
    }
    page
}
