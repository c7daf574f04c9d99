//! System tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arrows;
mod attack;
mod bad_input;
mod bad_mapping;
mod blocks;
mod clkhash;
mod compare;
mod dataset_file;
mod demo;
mod edge;
mod fields;
mod gate;
mod generated;
mod interrupt;
mod office_job;
mod plan;
mod python;
mod quality;
mod resume;
mod schema;
mod scripts;
mod service;
mod size;
mod statistics;
