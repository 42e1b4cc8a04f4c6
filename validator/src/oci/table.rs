//! The members of OCI's documents (OCI-015, OCI-016).

/// What a member holds.
#[derive(Clone, Copy)]
pub(super) enum Type {
    String,
    Integer,
    /// An integer in a range.
    Within(&'static Range),
    /// An array of such integers.
    AllWithin(&'static Range),
    Boolean,
    /// An array of strings.
    Strings,
    /// An object with these members.
    Object(&'static Table),
    /// An array of such objects.
    Objects(&'static Table),
    /// An object whose members are objects.
    Names,
    /// An object whose members are strings, which OCI-020 judges.
    Texts,
    /// The same, which OCI-016 judges.
    Words,
}

/// The integers that a member can have.
pub(super) struct Range {
    pub(super) least: i128,
    pub(super) most: i128,
    words: &'static str,
}

impl Range {
    /// Integers of so many bits.
    pub(super) const fn unsigned(bits: u32, words: &'static str) -> Self {
        Self { least: 0, most: (1 << bits) - 1, words }
    }

    /// Integers of so many bits, of which one is the sign.
    pub(super) const fn signed(bits: u32, words: &'static str) -> Self {
        Self { least: -(1 << (bits - 1)), most: (1 << (bits - 1)) - 1, words }
    }
}

impl Type {
    /// What messages call the type.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Within(range) => range.words,
            Self::Strings | Self::Objects(_) | Self::AllWithin(_) => "an array",
            Self::Object(_) | Self::Names | Self::Texts | Self::Words => "an object",
        }
    }
}

/// A member: its name, its type, whether it has to be there.
pub(super) type Member = (&'static str, Type, bool);

/// The members of an object.
pub(super) type Table = [Member];

pub(super) static INDEX: [Member; 6] = [
    ("schemaVersion", Type::Integer, true),
    ("mediaType", Type::String, false),
    ("artifactType", Type::String, false),
    ("manifests", Type::Objects(&DESCRIPTOR), true),
    ("subject", Type::Object(&DESCRIPTOR), false),
    ("annotations", Type::Texts, false),
];

pub(super) static MANIFEST: [Member; 7] = [
    ("schemaVersion", Type::Integer, true),
    ("mediaType", Type::String, false),
    ("artifactType", Type::String, false),
    ("config", Type::Object(&DESCRIPTOR), true),
    ("layers", Type::Objects(&DESCRIPTOR), true),
    ("subject", Type::Object(&DESCRIPTOR), false),
    ("annotations", Type::Texts, false),
];

static DESCRIPTOR: [Member; 8] = [
    ("mediaType", Type::String, true),
    ("digest", Type::String, true),
    ("size", Type::Integer, true),
    ("urls", Type::Strings, false),
    ("annotations", Type::Texts, false),
    ("data", Type::String, false),
    ("artifactType", Type::String, false),
    ("platform", Type::Object(&PLATFORM), false),
];

static PLATFORM: [Member; 5] = [
    ("architecture", Type::String, true),
    ("os", Type::String, true),
    ("os.version", Type::String, false),
    ("os.features", Type::Strings, false),
    ("variant", Type::String, false),
];

pub(super) static CONFIG: [Member; 10] = [
    ("created", Type::String, false),
    ("author", Type::String, false),
    ("architecture", Type::String, true),
    ("os", Type::String, true),
    ("os.version", Type::String, false),
    ("os.features", Type::Strings, false),
    ("variant", Type::String, false),
    ("config", Type::Object(&PROCESS), false),
    ("rootfs", Type::Object(&ROOTFS), true),
    ("history", Type::Objects(&HISTORY), false),
];

static PROCESS: [Member; 9] = [
    ("User", Type::String, false),
    ("ExposedPorts", Type::Names, false),
    ("Env", Type::Strings, false),
    ("Entrypoint", Type::Strings, false),
    ("Cmd", Type::Strings, false),
    ("Volumes", Type::Names, false),
    ("WorkingDir", Type::String, false),
    ("Labels", Type::Texts, false),
    ("StopSignal", Type::String, false),
];

/// An element of the `manifest.json` of `docker save`.
pub(super) static SAVED: [Member; 3] =
    [("Config", Type::String, true), ("RepoTags", Type::Strings, false), ("Layers", Type::Strings, true)];

static ROOTFS: [Member; 2] = [("type", Type::String, true), ("diff_ids", Type::Strings, true)];

static HISTORY: [Member; 5] = [
    ("created", Type::String, false),
    ("author", Type::String, false),
    ("created_by", Type::String, false),
    ("comment", Type::String, false),
    ("empty_layer", Type::Boolean, false),
];

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn ranges_are_those_of_their_bits() {
        let bounds = |range: Range| (range.least, range.most);
        assert_eq!(bounds(Range::signed(32, "")), (i32::MIN.into(), i32::MAX.into()));
        assert_eq!(bounds(Range::signed(64, "")), (i64::MIN.into(), i64::MAX.into()));
        assert_eq!(bounds(Range::unsigned(16, "")), (0, u16::MAX.into()));
        assert_eq!(bounds(Range::unsigned(64, "")), (0, u64::MAX.into()));
    }
}
