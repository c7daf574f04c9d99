//! From records to filters, at the office that owns them. The only crate that holds a linkage key.
//!
//! A register extract is read through a [`Mapping`] ([`ExtractReader`]), its names and dates are normalised and cut
//! into tokens as an [`EncodingSchema`] says, and every token sets bits of the record's filter that only
//! the holder of the [`LinkageKey`] can compute ([`encode_register`]). Out come an encoded dataset, which may be
//! uploaded ([`write_dataset`]), a pseudonym list, which stays, and a report of every row that was refused. Both may be
//! encrypted where they lie ([`Encryption`]).
//!
//! Both offices normalise alike: the version is part of the schema ([`NORMALISATION`]), and
//! [`normalisation_vectors`] gives what a program makes of a published list of names, dates and country codes.
//!
//! The key comes from a [`ProjectSecret`] two offices agree on: each has an [`Identity`], compares the other's
//! fingerprint by telephone ([`PublicIdentity::to_fingerprint`]), and exchanges two sealed messages
//! ([`PendingExchange`], [`accept_offer`]).
//!
//! ```
//! use corridor_core::{Profile, SeededEntropy};
//! use corridor_encode::{EncodingSchema, Identity, MatchField, PendingExchange, accept_offer};
//!
//! let mut entropy = SeededEntropy::new(1, "example"); // the operating system's, for keys that protect
//! let tunis = Identity::generate("INS-TN".parse()?, &mut entropy);
//! let rome = Identity::generate("ISTAT".parse()?, &mut entropy);
//!
//! let (pending, offer) = PendingExchange::offer(&tunis, &rome.to_public(), &mut entropy);
//! let (rome_secret, reply) = accept_offer(&rome, &tunis.to_public(), &offer, &mut entropy)?;
//! let tunis_secret = pending.finish(&tunis, &rome.to_public(), &reply)?;
//!
//! let schema = EncodingSchema::try_new(Profile::Saul3x2048, &[MatchField::Names, MatchField::BirthDate])?;
//! let agreement = corridor_core::Digest::of(b"canonical agreement");
//! assert_eq!(
//!     tunis_secret.to_linkage_key(&agreement).check(&agreement, &schema.digest()),
//!     rome_secret.to_linkage_key(&agreement).check(&agreement, &schema.digest()),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//! Name file, line and column, never a value of a record and nothing of a key.
//!
//! # References
//! Schnell, Bachteler & Reiher 2009 (Bloom filters); Armknecht & Schäfer, PoPETs 2026(2) (majority encoding);
//! RFC 2104, 5869, 8032, 8439, 9106, 9180.

mod at_rest;
mod birth;
mod blocks;
mod calendar;
mod check;
pub mod clkhash;
mod draft;
mod encoder;
mod exchange;
mod extract;
mod fields;
mod file;
mod filters;
mod harden;
mod identity;
mod in_the_making;
mod inspect;
mod key;
mod keystream;
mod lines;
mod lint;
mod majority;
mod mapping;
mod normalise;
mod outcome;
mod output;
mod pipeline;
mod published;
mod ready_made;
mod record;
mod repeats;
mod report;
mod row;
mod rows;
mod schema;
mod script;
mod sealed;
mod spool;
mod stay;
mod understand;
#[cfg(test)]
mod vectors;
mod wipe;

pub use at_rest::{DecryptError, DecryptedReader, Encryption, is_encrypted};
pub use birth::{BirthDate, BirthQuality, DateOrder, YearPivot};
pub use blocks::{BlockPass, BlockReport, Blocking};
pub use calendar::Calendar;
pub use check::{FieldCheck, MappingCheck, RowCheck, ShowValues, check_mapping};
pub use draft::draft_mapping;
pub use encoder::{
    EncodeTerms, EncodedFiles, EncodedRegister, NewFiles, PseudonymList, encode_register, encode_to_files,
};
pub use exchange::{
    ExchangeError, ExchangeMessage, ExchangeStep, PartyError, PendingExchange, ProjectKey, accept_offer,
};
pub use extract::{ExtractError, ExtractReader, read_persons};
pub use fields::MatchField;
pub use file::{write_dataset, write_pseudonyms};
pub use harden::Hardening;
pub use identity::{Identity, PublicIdentity, PublicIdentityError};
pub use in_the_making::{InTheMaking, remove_files_in_the_making, settle};
pub use inspect::{
    BirthDays, FieldInspection, FirstOfJanuary, Implausibility, Inspection, LengthCount, MoveCount,
    ShareCount, inspect,
};
pub use key::{LinkageKey, ProjectSecret};
pub use lines::MAX_LINE_BYTES;
pub use lint::{SchemaWarning, UnitTrust};
pub use mapping::{
    BirthQualityCodes, Codes, Columns, Constants, CountedCodes, Dates, DirectionCodes, FileFormat, FileKind,
    Mapping, MappingError, MigratoryStatusCodes, ReasonCodes, SexCodes, TextEncoding,
};
pub use outcome::{EncodeError, EncodeReport, RefusalLimit};
pub use output::{DecryptFileError, WriteError, decrypt_file};
pub use published::{NormalisationVector, NormalisationVectors, normalisation_vectors};
pub use ready_made::ReadyMadeSchema;
pub use record::{BirthSource, Record, RecordEvent};
pub use report::{Occurrences, ReadReport, RowProblem};
pub use schema::{EncodingSchema, FieldWeight, MINIMUM_TOKENS, NORMALISATION, SchemaError};
pub use script::Script;
pub use sealed::KeyFileError;
pub use spool::Scratch;
pub use stay::StayTerms;
