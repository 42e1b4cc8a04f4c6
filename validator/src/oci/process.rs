//! What an image runs, against its tree (OCI-083 to OCI-085).

use std::convert::Infallible;

use super::config::{Config, Spotted};
use super::descriptor::Spot;
use super::layer::Content;
use super::tree::{Node, Tree};
use crate::clause::{self, Clause};
use crate::limits::Limits;
use crate::shown::{quoted, shown};

/// Where a command without `/` is looked for if the image does not say.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A clause that is broken, where, and what is wrong.
pub(super) type Broken = (&'static Clause, Spot, String);

/// Holds what a config says against the tree of its image.
pub(super) fn judge_process(config: &Config, tree: &Tree, limits: &Limits) -> Vec<Broken> {
    if config.is_windows {
        return Vec::new();
    }
    let judge = Judge { config, tree, limits };
    [judge.exec(), judge.directory(), judge.user()].into_iter().flatten().collect()
}

/// A command, and where it is looked for.
pub(super) struct Command<'a> {
    pub(super) value: &'a str,
    /// Where a relative path begins.
    pub(super) directory: &'a str,
    /// The value of `PATH`.
    pub(super) search_path: Option<&'a str>,
}

impl Command<'_> {
    /// What keeps the command from being run, if `flaw` says that of a path from the root.
    pub(super) fn flaw<E>(
        &self,
        mut flaw: impl FnMut(&str) -> Result<Option<&'static str>, E>,
    ) -> Result<Option<String>, E> {
        let Self { value, directory, .. } = self;
        let absolute = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
        if value.contains('/') {
            let path = absolute(value);
            return Ok(flaw(&path)?.map(|flaw| format!("{} {flaw}", quoted(&path))));
        }
        let search = self.search_path.unwrap_or(SEARCH_PATH);
        for directory in search.split(':') {
            let path = absolute(&format!("{}/{value}", if directory.is_empty() { "." } else { directory }));
            if flaw(&path)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(format!("{} is in none of the directories {}", quoted(value), shown(search))))
    }
}

struct Judge<'a> {
    config: &'a Config,
    tree: &'a Tree,
    limits: &'a Limits,
}

impl Judge<'_> {
    fn resolve(&self, path: &str) -> Option<&Node> {
        self.tree.resolve(path.as_bytes(), self.limits.links_followed)
    }

    /// What keeps `path` from being run.
    fn flaw(&self, path: &str) -> Option<&'static str> {
        match self.resolve(path) {
            None => Some("is not there"),
            Some(Node::File { mode, .. }) if mode & 0o111 != 0 => None,
            Some(Node::File { .. }) => Some("has no execute bit"),
            Some(_) => Some("is no file"),
        }
    }

    /// OCI-083
    fn exec(&self) -> Option<Broken> {
        let Spotted { value, spot } = self.config.exec.as_ref()?;
        let directory = self.config.directory.as_ref().map_or("/", |directory| &directory.value);
        let command = Command { value, directory, search_path: self.config.search_path.as_deref() };
        let message = command.flaw(|path| Ok::<_, Infallible>(self.flaw(path)));
        Some((&clause::OCI_083, spot.clone(), message.unwrap_or_default()?))
    }

    /// OCI-084
    fn directory(&self) -> Option<Broken> {
        let Spotted { value, spot } = self.config.directory.as_ref()?;
        let what = if !value.starts_with('/') {
            "is not absolute"
        } else {
            match self.resolve(value) {
                Some(Node::Directory) => return None,
                Some(_) => "is no directory",
                None => "is not there",
            }
        };
        Some((&clause::OCI_084, spot.clone(), format!("{} {what}", quoted(value))))
    }

    /// OCI-085
    fn user(&self) -> Option<Broken> {
        let Spotted { value, spot } = self.config.user.as_ref()?;
        let (user, group) = value.split_once(':').unwrap_or((value, ""));
        let flaw = self.unknown(user, "user", b"etc/passwd").or_else(|| self.unknown(group, "group", b"etc/group"))?;
        Some((&clause::OCI_085, spot.clone(), flaw))
    }

    /// Why `name` is neither a number nor a name in `file`; nothing if it is, or if that cannot be told.
    fn unknown(&self, name: &str, what: &str, file: &[u8]) -> Option<String> {
        if name.is_empty() {
            return None;
        }
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let fits = name.parse::<i64>().is_ok_and(|number| number <= self.limits.id);
            return (!fits).then(|| format!("the {what} {} is larger than {}", shown(name), self.limits.id));
        }
        let shown_file = String::from_utf8_lossy(file);
        if matches!(self.tree.get(b"etc"), Some(Node::Symlink(_))) {
            return None;
        }
        match self.tree.get(file) {
            Some(Node::File { content: Content::Read(content), .. }) => {
                let is_named = |line: &[u8]| line.split(|byte| *byte == b':').next() == Some(name.as_bytes());
                let is_known = content.split(|byte| *byte == b'\n').any(is_named);
                (!is_known).then(|| format!("the {what} {} is not in /{shown_file}", quoted(name)))
            }
            Some(Node::File { .. } | Node::Symlink(_)) => None,
            Some(_) | None => Some(format!("the {what} {} cannot be found: there is no /{shown_file}", quoted(name))),
        }
    }
}
