//! System tests.

mod arrows;
mod bad_input;
mod edge;
mod generated;
mod office_job;
mod size;
