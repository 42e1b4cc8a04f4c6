//! What the application is going to find: the tree with its volumes, looked at before it starts.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use cornercast::layer::Interpreter;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::elf;
use crate::volume::Staged;

/// Bytes of a program that are looked at for the interpreter of a script, or an ELF header.
const HEAD: u64 = 64 << 10;

/// Interpreters that are followed, one more than Linux follows.
const INTERPRETERS: usize = 6;

/// Below these, the application does not find what the image has there.
const HIDDEN: [&str; 4] = ["/dev", "/proc", "/run/cornercast", "/sys"];

/// The tree of an instance with its volumes, as long as this is there.
pub(crate) struct View {
    folder: PathBuf,
    root: File,
}

/// Something that has been resolved.
struct Found {
    file: File,
    kind: FileType,
    /// Where it is in the view, absolute.
    path: PathBuf,
}

impl View {
    /// Puts the tree and the volumes together in the new directory `folder`.
    pub(crate) fn new(folder: &Path, rootfs: &Path, volumes: &[Staged]) -> io::Result<Self> {
        fs::create_dir(folder)?;
        mount_bind(rootfs, folder)?;
        let root = File::from(openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
        let view = Self { folder: folder.to_owned(), root };
        for volume in volumes {
            mount_bind(&volume.source, view.folder.join(volume.path.trim_start_matches('/')))?;
        }
        Ok(view)
    }

    /// RUN-018 and RUN-019: why the application cannot begin in `directory`.
    pub(crate) fn judge_directory(&self, directory: &str) -> Result<(), (&'static str, String)> {
        match self.resolve(directory) {
            Ok(found) if found.kind != FileType::Directory => Err((
                "RUN-018",
                format!("the working directory {directory} is no directory once the volumes are mounted"),
            )),
            Ok(found) => match hidden(&found.path) {
                Some(by) => Err((
                    "RUN-019",
                    format!("the working directory {directory} lies in {by}, which is not that of the image"),
                )),
                None => Ok(()),
            },
            Err(why) => Err(("RUN-018", format!("the working directory {directory} does not resolve: {why}"))),
        }
    }

    /// RUN-090 to RUN-092: why `program` cannot be executed, whoever does it.
    pub(crate) fn judge_program(&self, program: &str) -> Result<(), (&'static str, String)> {
        let mut path = program.to_owned();
        let (mut file, mut head) = self.open(program).map_err(|why| ("RUN-090", format!("{program} {why}")))?;
        // Interpreters can have interpreters; where there are more, the kernel says no.
        for depth in 0..INTERPRETERS {
            let (next, is_script) = match Interpreter::of(&head) {
                Some(Interpreter::Script(interpreter)) => (interpreter, true),
                _ => {
                    // RUN-092
                    let clause = if depth == 0 { "RUN-092" } else { "RUN-093" };
                    judge_elf(&path, &head).map_err(|why| (clause, why))?;
                    let loader = elf::loader(&file, &head).map_err(|why| ("RUN-093", format!("{path} {why}")))?;
                    let Some(loader) = loader else { return Ok(()) };
                    (loader, false)
                }
            };
            let next = String::from_utf8_lossy(&next).into_owned();
            // RUN-091
            let missing = |why: String| ("RUN-091", format!("{path} needs {next:?}, which {why}"));
            if !next.starts_with('/') {
                return Err(missing("is no absolute path".to_owned()));
            }
            (file, head) = self.open(&next).map_err(missing)?;
            if !is_script {
                return Ok(());
            }
            path = next;
        }
        Ok(())
    }

    /// A program with its first bytes, or why it is none.
    fn open(&self, path: &str) -> Result<(File, Vec<u8>), String> {
        let found =
            self.resolve(path).map_err(|why| format!("does not resolve once the volumes are mounted: {why}"))?;
        if let Some(by) = hidden(&found.path) {
            return Err(format!("lies in {by}, which is not that of the image"));
        }
        if found.kind != FileType::RegularFile {
            return Err("is no regular file once the volumes are mounted".to_owned());
        }
        let mut head = Vec::new();
        // Opened anew, as the descriptor is only a place.
        let opened = File::open(format!("/proc/self/fd/{}", found.file.as_raw_fd())).and_then(|file| {
            (&file).take(HEAD).read_to_end(&mut head)?;
            Ok(file)
        });
        Ok((opened.map_err(|error| format!("cannot be read: {error}"))?, head))
    }

    /// What a path of the image leads to, with this tree as the root.
    fn resolve(&self, path: &str) -> Result<Found, String> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = loop {
            match openat2(&self.root, path, flags, Mode::empty(), within) {
                // Something was moved meanwhile, in a volume perhaps.
                Err(Errno::AGAIN) => {}
                result => break result.map_err(|error| io::Error::from(error).to_string())?,
            }
        };
        let kind = FileType::from_raw_mode(fstat(&file).map_err(|error| error.to_string())?.st_mode);
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
        let path = path.strip_prefix(&self.folder).map_err(|_| format!("{} is outside", path.display()))?;
        let path = Path::new("/").join(path);
        Ok(Found { file: File::from(file), kind, path })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Which of the engine's own directories a path lies in.
fn hidden(path: &Path) -> Option<&'static str> {
    HIDDEN.into_iter().find(|point| path.starts_with(point))
}

/// Whether a header is that of a program of this machine.
fn judge_elf(program: &str, head: &[u8]) -> Result<(), String> {
    let [0x7F, b'E', b'L', b'F', class, order, ..] = head else {
        return Err(format!("{program} is neither an ELF file nor begins with `#!`"));
    };
    let machine = match (order, head.get(18..20)) {
        (1, Some([low, high])) => u16::from_le_bytes([*low, *high]),
        (2, Some([high, low])) => u16::from_be_bytes([*high, *low]),
        _ => return Err(format!("{program} has a damaged ELF header")),
    };
    let own = own_machine();
    if own.is_some_and(|own| own != (*class, *order, machine)) {
        return Err(format!("{program} is a program for another processor (ELF class {class}, machine {machine})"));
    }
    Ok(())
}

/// The class, byte order and machine of programs for this processor (elf.h), where that is known.
fn own_machine() -> Option<(u8, u8, u16)> {
    match std::env::consts::ARCH {
        "x86_64" => Some((2, 1, 62)),
        "aarch64" => Some((2, 1, 183)),
        "x86" => Some((1, 1, 3)),
        "arm" => Some((1, 1, 40)),
        "riscv64" => Some((2, 1, 243)),
        "s390x" => Some((2, 2, 22)),
        "powerpc64" if cfg!(target_endian = "little") => Some((2, 1, 21)),
        "loongarch64" => Some((2, 1, 258)),
        _ => None,
    }
}
