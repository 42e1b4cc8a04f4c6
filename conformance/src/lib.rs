//! The conformance suite: cases, the adapters that put them to an implementation, and the verdicts.

#![forbid(unsafe_code)]

pub mod adapter;
pub mod broken;
pub mod builtin;
pub mod bundles;
pub mod case;
pub mod cli;
pub mod corpus;
pub mod expectations;
pub mod findings;
pub mod fixtures;
pub mod made;
pub mod making;
pub mod misreading;
pub mod mutants;
pub mod process;
pub mod protocol;
pub mod recipe;
pub mod reference;
pub mod report;
pub mod results;
pub mod run;
pub mod runner;
pub mod schema;
pub mod scratch;
pub mod session;
pub mod suite;
mod trust;
pub mod verifying;
