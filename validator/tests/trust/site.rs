//! A directory to run the command in, with keys and envelopes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cornercast::digest::Digest;
use cornercast::manifest::{Descriptor, Platform};
use cornercast::trust::{PayloadType, Release, SecretKey, sign};
use tempfile::TempDir;

/// The time at which everything happens, 2026-11-24T00:00:00Z.
pub(crate) const NOW: u64 = 1_795_478_400;

pub(crate) struct Site(TempDir);

/// What the command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Site {
    /// One with the keys `log`, `witness` and `other`.
    pub(crate) fn new() -> Self {
        let site = Self(TempDir::new().unwrap());
        for (name, seed) in [("log", 1), ("witness", 2), ("other", 3)] {
            let path = site.path(&format!("{name}.key"));
            fs::write(&path, &*key(seed).to_file()).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes the envelopes with these numbers, and gives their names.
    pub(crate) fn envelopes(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let write = |number| {
            let name = format!("{number}.json");
            fs::write(self.path(&name), envelope(number)).unwrap();
            name
        };
        numbers.map(write).collect()
    }

    /// `cornercast log` with these arguments.
    pub(crate) fn log(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.arg("log").args(arguments).current_dir(self.0.path());
        let output = command.env("SOURCE_DATE_EPOCH", NOW.to_string()).output().unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What `cornercast log` prints with these arguments.
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        let said = self.log(arguments);
        assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{arguments:?}");
        said.out
    }

    /// `cornercast log` refuses these arguments, and says why.
    pub(crate) fn refuses(&self, arguments: &[&str], why: &str) {
        let said = self.log(arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
        assert!(said.error.contains(why) && said.out.is_empty(), "{arguments:?}: {said:?}");
    }

    /// A log of the first so many envelopes, with one checkpoint.
    pub(crate) fn log_of(&self, name: &str, count: usize) {
        self.does(&["init", name, "--origin", "log.example", "--key", "log.key"]);
        self.add(name, 0..count);
    }

    /// Adds the envelopes with these numbers.
    pub(crate) fn add(&self, name: &str, numbers: std::ops::Range<usize>) {
        let names = self.envelopes(numbers);
        let mut arguments = vec!["add", name, "--key", "log.key"];
        arguments.extend(names.iter().map(String::as_str));
        if !names.is_empty() {
            self.does(&arguments);
        }
    }
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The release of the version 1.0.N.
pub(crate) fn envelope(number: usize) -> Vec<u8> {
    let release = Release {
        annotations: std::collections::BTreeMap::new(),
        expires: None,
        image: Descriptor { digest: Digest::of(&number.to_be_bytes()), size: 100 },
        issued: "2026-11-24T00:00:00Z".to_owned(),
        name: "example.com/hello".to_owned(),
        platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None },
        version: format!("1.0.{number}"),
    };
    let payload = serde_json_canonicalizer::to_vec(&release).unwrap();
    sign(PayloadType::Release, &payload, &[&key(9)])
}
