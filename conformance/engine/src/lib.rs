//! The reference engine: takes an image and instance options, and runs one application.
//!
//! What it does is what the chapter Runtime of the specification says of engines; the clauses stand in comments where
//! they are met. What makes the container is a [`backend::Backend`].
//!
//! | module | does |
//! | --- | --- |
//! | [`engine`] | one run, from the image to the report |
//! | [`options`], [`report`] | the documents that go in and come out |
//! | `image`, `tree`, `volume`, `view` | the root tree, and what is judged of it |
//! | `isolation` | what is asked of isolation, and what becomes of it |
//! | [`cli`] | the command |
//! | `config` | the bundle that the backend gets |
//! | `application`, `streams` | waiting for the application, and its output |
//! | [`instance`], [`cgroup`] | what has to be removed, also after a killed engine |

#![deny(unsafe_code)]

mod application;
pub mod backend;
pub mod cgroup;
pub mod cli;
mod config;
pub mod engine;
mod image;
pub mod instance;
mod isolation;
pub mod options;
pub mod refusal;
pub mod report;
pub mod signal;
mod streams;
mod sys;
pub mod tree;
mod view;
mod volume;

pub use config::RUN_DIRECTORY;
