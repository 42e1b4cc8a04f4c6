//! The reference engine: takes an image and instance options, and runs one application.

#![deny(unsafe_code)]

pub mod backend;
