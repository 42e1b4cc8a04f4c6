//! `cornercast audit`

mod html;
mod inventory;
mod page;
mod text;
mod trust;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::image::{Image, split};
use super::trust::{clock, parse_time};
use super::{Failure, print};
use crate::audit::{Audit, Decision, Subject, audit, signed};
use crate::build::unwritable;
use crate::limits::Limits;
use crate::name::{Reference, Tag};
use crate::shown::escaped;
use crate::trust::{Decided, PolicyRule, Question, decide, time};

/// Print what there is to know of an image before it is run
///
/// Who signed it, what it asks for, and what in its tree deserves a look: setuid files, capabilities, what everybody
/// can write, odd links, names of secrets. Images of this format only; `convert` makes one of an OCI image. The manifest,
/// the listings and the signed documents are read, and verified by their digests; the contents of layers are not read.
///
/// Keys are those of the keyrings in the same store, so signatures that hold by them prove nothing by themselves. With
/// --policy the audit says what `verify` would; the state is read and not changed.
///
/// The same image gives the same audit. Only the verdict of --policy depends on the time, which --at can set.
///
/// Exit status: 0 if the audit is done, whatever it says, 2 if it could not be.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// A store with one image, STORE@sha256:…, an archive, or - for standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    image: String,
    /// Print one JSON object, in the form of audit.schema.json
    #[arg(long)]
    json: bool,
    /// Write one HTML page into this file, instead of printing the text; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Say also what this policy decides
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "state")]
    policy: Option<PathBuf>,
    /// The directory of the state that the policy is used with
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "policy")]
    state: Option<PathBuf>,
    /// The time that the policy is used at, instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "policy")]
    at: Option<String>,
}

pub(super) fn run(arguments: &AuditArgs) -> Result<ExitCode, Failure> {
    let to_stdout = arguments.html.as_deref() == Some(Path::new("-"));
    if to_stdout && arguments.json {
        return Err(Failure::Error("two forms go to standard output; give --html a file".to_owned()));
    }
    // 1 would say something of the image.
    let audit = audit_of(arguments).map_err(|failure| match failure {
        Failure::Refused(message) | Failure::Error(message) => Failure::Error(message),
    })?;
    if let Some(file) = arguments.html.as_deref().filter(|_| !to_stdout) {
        let written = super::output::write_file(file, &html::render(&page::page(&audit)));
        written.map_err(|error| Failure::from(unwritable(file)(error)))?;
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&audit).map_err(|error| Failure::Error(error.to_string()))?;
        print(&format!("{json}\n"))?;
    } else if to_stdout {
        print(&html::render(&page::page(&audit)))?;
    } else if arguments.html.is_none() {
        print(&text::render(&page::page(&audit)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn audit_of(arguments: &AuditArgs) -> Result<Audit, Failure> {
    let limits = Limits::FORMAT;
    let is_oci = split(&arguments.image).0.join("oci-layout").is_file();
    let image = Image::open(&arguments.image).map_err(|failure| match failure {
        Failure::Refused(message) if is_oci => {
            Failure::Refused(format!("{message}; `cornercast convert` makes an image of this format of one of OCI"))
        }
        other => other,
    })?;
    let tree = image.tree()?;
    let (merged, rootfs) = (tree.summary(), image.manifest.rootfs);
    if (merged.digest, merged.entries, merged.size) != (rootfs.digest, rootfs.entries, rootfs.size) {
        return Err(Failure::Refused(format!(
            "{0}: the listings do not merge to the rootfs of the manifest; `cornercast check {0}` says more",
            escaped(&arguments.image)
        )));
    }
    let subject = image.subject();
    let decided = match (&arguments.policy, &arguments.state) {
        (Some(policy), Some(state)) => Some(decided(arguments, &image, &subject, (policy, state))?),
        _ => None,
    };
    let rule = decided.as_ref().and_then(|(_, rule)| rule.as_ref());
    let keys = rule.map_or_else(BTreeMap::new, PolicyRule::keys);
    let mut out = audit(&subject, &image.source, &image.manifest, &tree, &limits);
    out.trust = signed(image.store(), &subject, keys, &limits).map_err(failed(Path::new(&arguments.image)))?;
    out.verdict = decided.map(|(decision, _)| decision);
    Ok(out)
}

/// What `verify` would say under a policy, from a state that stays as it is, and the rule that decides.
fn decided(
    arguments: &AuditArgs,
    image: &Image,
    subject: &Subject,
    (policy, state): (&Path, &Path),
) -> Result<(Decision, Option<PolicyRule>), Failure> {
    let now = arguments.at.as_deref().and_then(time::seconds).unwrap_or_else(clock);
    let tag = Some(Tag::Version(subject.version.clone()));
    let reference = Reference { name: subject.name.clone(), tag, digest: Some(subject.id) };
    let question = Question {
        policy,
        state,
        reference: &reference,
        platform: &subject.platform,
        now,
        is_read_only: true,
        store: &arguments.image,
    };
    let Decided { verdict, rule } =
        decide(image.store(), &question, &Limits::FORMAT).map_err(|error| Failure::Error(error.to_string()))?;
    let decision = Decision {
        accepted: verdict.outcome.is_ok(),
        reference: reference.to_string(),
        at: time::text(now).unwrap_or_default(),
        rejected: verdict.outcome.err(),
        evidence: verdict.evidence,
    };
    Ok((decision, rule))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let shown = path.display().to_string();
    move |error| Failure::Error(format!("{shown}: {error}"))
}
