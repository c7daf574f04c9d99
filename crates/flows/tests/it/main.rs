//! Published figures, laws, bad input and the coverage of intervals.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod coverage;
mod laws;
mod mirror_marks;
mod published_dual_system;
mod published_duration;
mod published_mirror;
mod support;
