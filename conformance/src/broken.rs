//! The reference as a validator, verifier, unpacker and builder that is broken on purpose, in one thing: the suite has to
//! notice.
//!
//! A validator or verifier leaves out a clause; what an unpacker or a builder makes is changed when it is there, or it answers
//! something else. Engines that are broken stand in [`crate::run::mutants`].

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::misreading::{Misreading, key_twice, last_member};
use crate::protocol::{Answer, Outcome, Role};

/// How the names begin of what leaves out the clause that follows.
const WITHOUT: [(&str, Role); 2] = [("validator-without-", Role::Validate), ("verifier-without-", Role::Verify)];

/// A reference that is broken in one thing.
#[derive(Debug, Clone)]
pub enum Broken {
    /// It leaves out a clause, in this role.
    Without(Role, String),
    /// It has a defect.
    Defect(&'static Defect),
}

/// How it is broken.
#[derive(Debug)]
pub struct Defect {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub role: Role,
    /// The clauses that it breaks; of all cases of the role if there are none.
    pub clauses: &'static [&'static str],
    how: How,
}

#[derive(Debug)]
enum How {
    /// It accepts nothing, or makes nothing.
    Refuses,
    /// It refuses nothing.
    Accepts,
    /// It leaves something where it has refused.
    LeavesAPart,
    /// It takes documents for something else.
    Misreads(Misreading),
    /// What it has made is changed.
    Changes(fn(&Path) -> io::Result<()>),
}

/// All that leave out no clause.
pub static DEFECTS: [Defect; 20] = [
    defect("validator-rejects", Role::Validate, &[], How::Refuses),
    defect("verifier-rejects", Role::Verify, &[], How::Refuses),
    defect("verifier-accepts", Role::Verify, &[], How::Accepts),
    defect("verifier-takes-the-last-member", Role::Verify, &["JSN-008"], How::Misreads(last_member)),
    defect("verifier-counts-a-key-twice", Role::Verify, &["SIG-019"], How::Misreads(key_twice)),
    defect("unpacker-refuses", Role::Unpack, &[], How::Refuses),
    defect("unpacker-accepts", Role::Unpack, &["LST-029", "LST-030", "LST-031"], How::Accepts),
    defect("unpacker-leaves-a-part", Role::Unpack, &["LST-029", "LST-030", "LST-031"], How::LeavesAPart),
    defect("unpacker-leaves-a-whiteout", Role::Unpack, &["LST-023"], How::Changes(leave_a_whiteout)),
    defect("unpacker-copies-hard-links", Role::Unpack, &["LST-024"], How::Changes(copy_hard_links)),
    defect("unpacker-links-equal-files", Role::Unpack, &["LST-024"], How::Changes(link_equal_files)),
    defect("unpacker-changes-a-byte", Role::Unpack, &["LST-025", "LST-031"], How::Changes(change_a_byte)),
    defect("unpacker-changes-modes", Role::Unpack, &["LST-026"], How::Changes(change_modes)),
    defect("unpacker-sets-owners-last", Role::Unpack, &["LST-027"], How::Changes(set_owners)),
    defect("unpacker-forgets-the-root", Role::Unpack, &["LST-028"], How::Changes(touch_the_root)),
    defect("builder-refuses", Role::Build, &[], How::Refuses),
    defect("builder-accepts", Role::Build, &[], How::Accepts),
    defect("builder-leaves-a-part", Role::Build, &[], How::LeavesAPart),
    defect("builder-changes-a-document", Role::Build, &[], How::Changes(change_a_document)),
    defect("builder-changes-a-blob", Role::Build, &["OCI-122"], How::Changes(change_a_blob)),
];

const fn defect(name: &'static str, role: Role, clauses: &'static [&'static str], how: How) -> Defect {
    Defect { name, role, clauses, how }
}

impl Defect {
    /// Whether a case of which `expected` comes could notice.
    #[must_use]
    pub fn is_noticed_by(&self, expected: Outcome) -> bool {
        match self.how {
            How::Refuses => matches!(expected, Outcome::Accepted | Outcome::Completed),
            How::Accepts | How::Misreads(_) => matches!(expected, Outcome::Refused | Outcome::Rejected),
            How::LeavesAPart => expected == Outcome::Refused,
            How::Changes(_) => expected == Outcome::Completed,
        }
    }
}

impl Broken {
    /// The one that is called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let without = WITHOUT.iter().find_map(|(prefix, role)| Some((*role, name.strip_prefix(prefix)?)));
        match without {
            Some((role, clause)) => Some(Self::Without(role, clause.to_owned())),
            None => DEFECTS.iter().find(|defect| defect.name == name).map(Self::Defect),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Without(role, clause) => {
                let prefix = WITHOUT.iter().find(|(_, known)| known == role).map_or("", |(prefix, _)| prefix);
                format!("{prefix}{clause}")
            }
            Self::Defect(defect) => defect.name.to_owned(),
        }
    }

    /// The clause that it leaves out.
    #[must_use]
    pub fn clause(&self) -> Option<&str> {
        match self {
            Self::Without(_, clause) => Some(clause),
            Self::Defect(_) => None,
        }
    }

    /// What it takes documents for.
    #[must_use]
    pub fn misreading(&self) -> Option<Misreading> {
        match self {
            Self::Defect(Defect { how: How::Misreads(misreading), .. }) => Some(*misreading),
            _ => None,
        }
    }

    /// Does what is wrong: to an answer, and to what was made at `output`, where something is.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn act(&self, answer: &mut Answer, output: &Path) -> io::Result<()> {
        let Self::Defect(defect) = self else { return Ok(()) };
        match (&defect.how, answer.outcome) {
            (How::Refuses, Outcome::Accepted) => answer.outcome = Outcome::Rejected,
            (How::Refuses, Outcome::Completed) => answer.outcome = Outcome::Refused,
            (How::Accepts, Outcome::Refused) => answer.outcome = Outcome::Completed,
            (How::Accepts, Outcome::Rejected) => answer.outcome = Outcome::Accepted,
            (How::LeavesAPart, Outcome::Refused) => fs::create_dir(output)?,
            (How::Changes(change), Outcome::Completed) => change(output)?,
            _ => {}
        }
        Ok(())
    }
}

/// What is below a directory and no directory, and the directories; in order.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.extend(below(&entry.path())?);
        }
        all.push(entry.path());
    }
    all.sort();
    Ok(all)
}

/// The regular files below a directory.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    Ok(below(folder)?.into_iter().filter(is_file).collect())
}

fn leave_a_whiteout(tree: &Path) -> io::Result<()> {
    fs::write(tree.join(".wh.a"), b"")
}

fn copy_hard_links(tree: &Path) -> io::Result<()> {
    for path in files(tree)? {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.nlink() > 1 {
            let copy = path.with_file_name(".copy");
            fs::copy(&path, &copy)?;
            lchown(&copy, Some(metadata.uid()), Some(metadata.gid()))?;
            fs::set_permissions(&copy, metadata.permissions())?;
            File::open(&copy)?.set_modified(metadata.modified()?)?;
            fs::rename(&copy, &path)?;
        }
    }
    Ok(())
}

fn link_equal_files(tree: &Path) -> io::Result<()> {
    let mut seen: BTreeMap<Vec<u8>, PathBuf> = BTreeMap::new();
    for path in files(tree)? {
        let content = fs::read(&path)?;
        match seen.get(&content) {
            Some(first) => {
                fs::remove_file(&path)?;
                fs::hard_link(first, &path)?;
            }
            None => _ = seen.insert(content, path),
        }
    }
    Ok(())
}

/// In every file that has one, and one more in those that have none.
fn change_a_byte(tree: &Path) -> io::Result<()> {
    for path in files(tree)? {
        let modified = fs::symlink_metadata(&path)?.modified()?;
        flip(&path)?;
        OpenOptions::new().append(true).open(&path)?.set_modified(modified)?;
    }
    Ok(())
}

fn change_modes(tree: &Path) -> io::Result<()> {
    for path in below(tree)? {
        let metadata = fs::symlink_metadata(&path)?;
        if !metadata.is_symlink() {
            fs::set_permissions(&path, fs::Permissions::from_mode(metadata.mode() & 0o7777 ^ 0o001))?;
        }
    }
    Ok(())
}

/// Which takes set-user-ID bits and capabilities away.
fn set_owners(tree: &Path) -> io::Result<()> {
    for path in below(tree)? {
        let metadata = fs::symlink_metadata(&path)?;
        lchown(&path, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    Ok(())
}

fn touch_the_root(tree: &Path) -> io::Result<()> {
    File::open(tree)?.set_modified(SystemTime::now())
}

/// The document that says what was made gets a blank at its end.
fn change_a_document(made: &Path) -> io::Result<()> {
    let is_document = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name == "index.json"
            || name == "config.json"
            || path.parent().is_some_and(|path| path.ends_with("images/sha256"))
    };
    for path in files(made)?.into_iter().filter(is_document) {
        OpenOptions::new().append(true).open(path)?.write_all(b" ")?;
    }
    Ok(())
}

/// The first byte of the largest blob, which is a layer.
fn change_a_blob(made: &Path) -> io::Result<()> {
    let mut blobs = files(&made.join("blobs"))?;
    blobs.sort_by_cached_key(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()));
    blobs.pop().map_or(Ok(()), |path| flip(&path))
}

fn flip(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    let _ = file.read(&mut byte)?;
    file.rewind()?;
    file.write_all(&byte.map(|byte| byte ^ 1))
}
