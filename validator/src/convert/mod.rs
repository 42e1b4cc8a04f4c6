//! From the format to OCI and back (OCI-120 and following).
//!
//! `compress` stores layers; `export` makes the documents of OCI that say what a manifest says, `losses` names what they cannot say, and
//! `media` has the names that both directions share. The other way, `layout` finds an image in a layout or an archive
//! of `docker save`, `config` reads its configuration, `process` and `user` say in the terms of the format what it
//! runs, `layer` writes its layers anew, on the `rootfs` that they merge to, and `import` puts that together.
//! `artifact` finds the original manifest, if the layout has it.

pub mod compress;
pub mod export;
pub mod losses;
pub mod media;
