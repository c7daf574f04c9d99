//! System tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod arrows;
mod attack;
mod bad_input;
mod bad_mapping;
mod blocks;
mod canary;
mod clkhash;
mod compare;
mod complaints;
mod dataset_file;
mod demo;
mod deploy;
mod drain;
mod edge;
mod faults;
mod fields;
mod generated;
mod grpc_web;
mod interrupt;
mod office_job;
mod operations;
mod plan;
mod poor_line;
mod protocol;
mod python;
mod quality;
mod resume;
mod schema;
mod scripts;
mod service;
mod size;
mod statistics;
