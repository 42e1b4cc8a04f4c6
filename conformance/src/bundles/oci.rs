//! The sentences of the OCI runtime specification that decide a case, in words of our own.
//!
//! Each has MUST or REQUIRED, and means the same in all releases from 1.0.2 on, up to the last one, 1.3.0: bundles say that
//! they are of 1.0.2, and all runtimes claim that or a later one. Where releases say different things (a capability that
//! is unknown, a relative destination of a mount, a `poststart` hook that fails), nothing decides; nor does anything where
//! a value is said to be needed and nobody says what has to come of one that is not there, or what aborting a hook means.
//!
//! Whether and how an error is told is left open by the specification ([`ERROR`]'s section), so it is judged by what it has
//! to prevent: that the application runs, that something is left. What a call says of itself is recorded.

/// The releases that were compared.
pub const RELEASES: &str = "1.0.2 to 1.3.0";

/// A sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The page: `config.md`.
    pub page: &'static str,
    /// The anchor of the section there.
    pub anchor: &'static str,
    /// The title of the section.
    pub section: &'static str,
    /// What it says, as the second half of a sentence.
    pub says: &'static str,
}

impl Sentence {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> String {
        format!("OCI runtime specification {RELEASES}, {}, {}", self.page, self.section)
    }

    /// Its address in the last of these releases.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://github.com/opencontainers/runtime-spec/blob/v1.3.0/{}#{}", self.page, self.anchor)
    }
}

macro_rules! sentences {
    ($($name:ident: $page:literal, $anchor:literal, $section:literal, $says:literal;)*) => {
        $(#[doc = $says] pub const $name: Sentence = Sentence { page: $page, anchor: $anchor, section: $section, says: $says };)*
        /// All sentences.
        pub const ALL: &[&Sentence] = &[$(&$name),*];
    };
}

sentences! {
    VERSION: "config.md", "configSpecificationVersion", "Specification version",
        "`ociVersion` has to be a semantic version, and a value that is not valid or not supported is an error";
    VALUES: "config.md", "valid-values", "Valid values", "a value that is not valid or not supported is an error";
    UNKNOWN: "config.md", "configExtensibility", "Extensibility", "unknown properties have to be ignored";
    ROOT_PATH: "config.md", "configRoot", "Root", "there has to be a directory at `root.path`, and a value that is not valid is an error";
    ROOT_READONLY: "config.md", "configRoot", "Root", "the root has to be read-only inside if `root.readonly` says so";
    MOUNT_ORDER: "config.md", "configMounts", "Mounts", "mounts have to be made in the order of the list";
    CWD: "config.md", "configProcess", "Process", "`cwd` has to be an absolute path, and a value that is not valid is an error";
    ARGS: "config.md", "configProcess", "Process", "`args` has to have an entry, and a value that is not valid is an error";
    CONSOLE_SIZE: "config.md", "configProcess", "Process", "`consoleSize` has to be ignored without a terminal";
    RLIMIT_UNKNOWN: "config.md", "configPOSIXProcess", "POSIX process", "a limit that the kernel does not have is an error";
    RLIMIT_TWICE: "config.md", "configPOSIXProcess", "POSIX process", "two limits of the same type are an error";
    RLIMIT_VALUE: "config.md", "configPOSIXProcess", "POSIX process", "the limits in force have to be those of the bundle";
    OOM_SCORE: "config.md", "configLinuxProcess", "Linux Process", "`oom_score_adj` has to be the given value, and as it was if none is given";
    HOOK_ORDER: "config.md", "configHooks", "POSIX-platform Hooks", "hooks have to be called in the order of the list";
    HOOK_STATE: "config.md", "configHooks", "POSIX-platform Hooks", "hooks have to get the state on standard input";
    NAMESPACE_NEW: "config-linux.md", "configLinuxNamespaces", "Namespaces", "a namespace without a path has to be a new one";
    NAMESPACE_NONE: "config-linux.md", "configLinuxNamespaces", "Namespaces", "a container has to be in the runtime's namespace of a type that is not listed";
    NAMESPACE_TWICE: "config-linux.md", "configLinuxNamespaces", "Namespaces", "two namespaces of the same type are an error";
    NAMESPACE_TYPE: "config-linux.md", "configLinuxNamespaces", "Namespaces", "the path of a namespace of another type is an error";
    DEVICES: "config-linux.md", "configLinuxDevices", "Devices", "the listed devices have to be there, as they are listed";
    DEVICES_DEFAULT: "config-linux.md", "configLinuxDefaultDevices", "Default Devices", "null, zero, full, random, urandom, tty and ptmx have to be there";
    DEVICE_LINKS: "runtime-linux.md", "runtimeLinuxDevSymbolicLinks", "Dev symbolic links", "`/dev/fd`, `/dev/stdin`, `/dev/stdout` and `/dev/stderr` have to be links to `/proc/self/fd`";
    APPLIED: "runtime.md", "runtimeCreate", "Create", "all properties have to be applied, and one that cannot be is an error";
    PROCESS: "runtime.md", "runtimeStart", "Start", "the program has to be run as `process` says";
    CREATE_TWICE: "runtime.md", "runtimeCreate", "Create", "an id that another container has is an error";
    START_STATE: "runtime.md", "runtimeStart", "Start", "starting what is not `created` is an error and has no effect";
    NO_PROCESS: "runtime.md", "runtimeStart", "Start", "starting a container without `process` is an error";
    KILL_STATE: "runtime.md", "runtimeKill", "Kill", "a signal to what is neither `created` nor `running` is an error";
    KILL: "runtime.md", "runtimeKill", "Kill", "the signal has to be sent to the process of the container";
    DELETE_STATE: "runtime.md", "runtimeDelete", "Delete", "deleting what is not `stopped` is an error and has no effect";
    DELETE: "runtime.md", "runtimeDelete", "Delete", "deleting has to delete what was created with the container";
    ERROR: "runtime.md", "runtimeErrors", "Errors", "an error has to leave everything as it was before";
    STATE: "runtime.md", "runtimeState", "State", "the state has to have `ociVersion`, `id`, `status`, an absolute `bundle`, and a `pid` while there is a process";
    STATE_NONE: "runtime.md", "runtimeQueryState", "Query State", "asking for a container that does not exist is an error";
    STATUS: "runtime.md", "runtimeState", "State", "the status has to say whether the process has begun and ended";
    LIFECYCLE_CREATE: "runtime.md", "runtimeLifecycle", "Lifecycle", "the program must not be run before `start`";
    HOOK_CALLED: "runtime.md", "runtimeLifecycle", "Lifecycle", "the hooks of each kind have to be called";
    HOOK_FAILS: "runtime.md", "runtimeLifecycle", "Lifecycle", "hooks of this kind have to be called, and one that fails is an error, and the container is stopped";
    POSTSTOP_FAILS: "runtime.md", "runtimeLifecycle", "Lifecycle", "a `poststop` hook that fails must not change anything else";
}
