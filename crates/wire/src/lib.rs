//! Messages of the service: generated protobuf, and conversions to and from the words of `corridor-core`.
//!
//! [`v1`] is generated from `proto/corridor/v1` and committed; wire types stop at the crates that speak gRPC.
//! A conversion from the wire checks every length and value and names the field that is wrong
//! ([`FieldViolation`]); nothing is allocated by a length the other side claims.

#[expect(
    missing_docs,
    clippy::all,
    unused_qualifications,
    reason = "generated from proto/corridor/v1"
)]
#[rustfmt::skip]
pub mod v1 {
    include!("generated/corridor.v1.rs");
}

mod agreement;
mod audit;
mod dataset;
mod field;
mod run;

pub use audit::to_proof;
pub use field::{FieldViolation, Reason, to_digest, to_pseudonym, to_signature};

/// The descriptor set of `proto/corridor/v1`, for server reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!("generated/corridor.v1.bin");
