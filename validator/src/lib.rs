//! Cornercast: an open container image format, and the library that reads, writes and checks it.
//!
//! The specification is in `spec/`; every requirement there has an id, and every [`Violation`] that
//! this library reports names one. Readers take bytes or [`std::io::Read`], never fail and never
//! panic: they return what they could read, and every violation with its place.
//!
//! | module | chapter |
//! | --- | --- |
//! | [`json`] | JSON |
//! | [`name`], [`digest`] | Names |
//! | [`manifest`] | Manifest |
//! | [`tar`], [`layer`] | Layer, Listing and rootfs |
//! | [`store`], [`zstd`] | Store and archive |
//! | [`oci`], [`convert`] | OCI images |
//! | [`bundle`] | Runtime |
//! | [`trust`] | Keys and envelopes, Releases, keyrings and catalogs, Policy, Log proofs |
//! | `unpack` | Listing and rootfs: unpacking |
//!
//! [`Violation`]: diagnostic::Violation

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod audit;
pub mod build;
pub mod bundle;
pub mod catalogue;
pub mod clause;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod convert;
pub mod diagnostic;
pub mod difference;
pub mod digest;
pub mod fix;
pub mod input;
pub mod inspection;
pub mod json;
pub mod layer;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod notice;
pub mod oci;
#[cfg(feature = "cli")]
pub mod report;
pub mod schema;
pub mod shown;
pub mod store;
mod suggestion;
pub mod tar;
pub mod trust;
#[cfg(target_os = "linux")]
pub mod unpack;
pub mod zstd;
