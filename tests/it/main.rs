//! System tests.

mod generated;
