//! Steps that work on files.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, lchown, symlink as make_symlink};

use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags, makedev, mkdirat, mknodat, openat, setxattr as set_xattr};
use serde_json::{Value, json};

use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};
use crate::{content, entry, value};

pub(super) const STEPS: &[Step] = &[
    Step::new("read:PATH", read),
    Step::new("write:PATH:TEXT", |parameters| put(parameters, OpenOptions::new().write(true).truncate(true))),
    Step::new("append:PATH:TEXT", |parameters| put(parameters, OpenOptions::new().append(true))),
    Step::new("create:PATH", create),
    Step::new("mkdir:PATH", |parameters| through(fs::create_dir(parameters.path()?))),
    Step::new("nest:PATH:N", nest),
    Step::new("unlink:PATH", |parameters| through(fs::remove_file(parameters.path()?))),
    Step::new("rmdir:PATH", |parameters| through(fs::remove_dir(parameters.path()?))),
    Step::new("rename:FROM:TO", rename),
    Step::new("chmod:PATH:MODE", chmod),
    Step::new("chown:PATH:UID:GID", chown),
    Step::new("link:FROM:TO", link),
    Step::new("symlink:TARGET:PATH", symlink),
    Step::new("stat:PATH", stat),
    Step::new("list:PATH", |parameters| names(parameters.path()?)),
    Step::new("open:PATH:ACCESS", open),
    Step::new("mknod:PATH:KIND:MAJOR:MINOR", mknod),
    Step::new("setxattr:PATH:NAME:VALUE", setxattr),
];

/// Something of which only the success is of interest.
fn through(result: std::io::Result<()>) -> Outcome {
    result?;
    DONE
}

fn read(parameters: Parameters<'_>) -> Outcome {
    let bytes = content::beginning(parameters.path()?)?;
    Ok(Done::Value(match std::str::from_utf8(&bytes) {
        Ok(text) => json!({"size": bytes.len(), "text": text}),
        Err(_) => json!({"size": bytes.len(), "hex": cornercast::digest::hex(&bytes)}),
    }))
}

fn put(parameters: Parameters<'_>, options: &mut OpenOptions) -> Outcome {
    let [path, text] = parameters.several()?;
    through(content::opened(step::path(path), options.create(true))?.write_all(text))
}

fn create(parameters: Parameters<'_>) -> Outcome {
    OpenOptions::new().write(true).create_new(true).open(parameters.path()?)?;
    DONE
}

fn nest(parameters: Parameters<'_>) -> Outcome {
    let [path, depth] = parameters.last()?;
    let path = step::path(path);
    let name = path.file_name().ok_or(Failure::Form)?;
    let mut above = fs::File::open(path.parent().ok_or(Failure::Form)?)?;
    for _ in 0..step::number(depth)? {
        mkdirat(&above, name, Mode::RWXU)?;
        above = openat(&above, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?.into();
    }
    DONE
}

fn rename(parameters: Parameters<'_>) -> Outcome {
    let [from, to] = parameters.several()?.map(step::path);
    through(fs::rename(from, to))
}

fn chmod(parameters: Parameters<'_>) -> Outcome {
    let [path, mode] = parameters.last()?;
    let mode = u32::from_str_radix(step::text(mode)?, 8).map_err(|_| Failure::Form)?;
    through(fs::set_permissions(step::path(path), Permissions::from_mode(mode)))
}

fn chown(parameters: Parameters<'_>) -> Outcome {
    let [path, uid, gid] = parameters.several()?;
    through(lchown(step::path(path), Some(step::number(uid)?), Some(step::number(gid)?)))
}

fn link(parameters: Parameters<'_>) -> Outcome {
    let [from, to] = parameters.several()?.map(step::path);
    through(fs::hard_link(from, to))
}

fn symlink(parameters: Parameters<'_>) -> Outcome {
    let [target, path] = parameters.several()?.map(step::path);
    through(make_symlink(target, path))
}

fn stat(parameters: Parameters<'_>) -> Outcome {
    let path = parameters.path()?;
    Ok(Done::Value(entry::described_in_full(path, &fs::symlink_metadata(path)?).into()))
}

/// The names in a directory, sorted by their bytes.
pub(super) fn names(path: &std::path::Path) -> Outcome {
    let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(Done::Value(names.iter().map(|name| value::path(name.as_ref())).collect::<Value>()))
}

fn open(parameters: Parameters<'_>) -> Outcome {
    let [path, access] = parameters.last()?;
    let (read, write) = match access {
        b"r" => (true, false),
        b"w" => (false, true),
        b"rw" => (true, true),
        _ => return Err(Failure::Form),
    };
    content::opened(step::path(path), OpenOptions::new().read(read).write(write))?;
    DONE
}

fn mknod(parameters: Parameters<'_>) -> Outcome {
    let [path, kind, major, minor] = parameters.several()?;
    let kind = match kind {
        b"c" => FileType::CharacterDevice,
        b"b" => FileType::BlockDevice,
        b"p" => FileType::Fifo,
        _ => return Err(Failure::Form),
    };
    let device = makedev(step::number(major)?, step::number(minor)?);
    mknodat(CWD, step::path(path), kind, Mode::RUSR | Mode::WUSR, device)?;
    DONE
}

fn setxattr(parameters: Parameters<'_>) -> Outcome {
    let [path, name, value] = parameters.several()?;
    set_xattr(step::path(path), step::path(name), value, XattrFlags::empty())?;
    DONE
}
