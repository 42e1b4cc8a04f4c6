//! Every limit of the format. No other module holds a limit as a bare number.

use crate::clause::{self, Clause};

/// The limits that readers keep, each with the clause that sets it. Sizes are in bytes.
///
/// [`Limits::FORMAT`] is what the specification says. A program that wants to accept less can lower
/// a field; raising one accepts what the format forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// JSN-005
    pub document: u64,
    /// JSN-010
    pub member_name: usize,
    /// JSN-011
    pub string: usize,
    /// JSN-014
    pub integer: i64,
    /// JSN-016
    pub depth: usize,
    /// NAM-002
    pub host_label: usize,
    /// NAM-003
    pub host: usize,
    /// NAM-008
    pub name: usize,
    /// NAM-011
    pub version: usize,
    /// NAM-012
    pub version_number: u64,
    /// NAM-013
    pub channel: usize,
    /// MAN-001
    pub manifest: u64,
    /// MAN-008
    pub array: usize,
    /// MAN-021
    pub argument: usize,
    /// MAN-023
    pub environment_name: usize,
    /// MAN-025
    pub environment_variable: usize,
    /// MAN-026 and LAY-020
    pub id: i64,
    /// MAN-030
    pub grace_seconds: i64,
    /// MAN-031
    pub ports: usize,
    /// MAN-037
    pub mounts: usize,
    /// MAN-048
    pub layers: usize,
    /// MAN-049
    pub layer: u64,
    /// MAN-050
    pub layers_total: u64,
    /// MAN-052
    pub attachments: usize,
    /// MAN-054
    pub attachment: u64,
    /// MAN-015: links followed while a path is resolved
    pub links_followed: usize,
    /// MAN-017: bytes of a file that are searched for its interpreter
    pub interpreter_head: usize,
    /// LAY-006
    pub layer_lines: u64,
    /// LAY-021
    pub mtime: i64,
    /// LAY-022
    pub file: u64,
    /// LAY-025
    pub pax_body: u64,
    /// LAY-043
    pub path: usize,
    /// LAY-044
    pub path_components: usize,
    /// LAY-045
    pub component: usize,
    /// LAY-052
    pub target: usize,
    /// LAY-057
    pub xattrs: usize,
    /// LAY-059
    pub xattr_name: usize,
    /// LAY-061
    pub xattr_values: usize,
    /// LST-014
    pub listing: u64,
    /// LST-015
    pub line: usize,
    /// LST-020
    pub rootfs_lines: u64,
    /// STO-015
    pub envelopes: usize,
    /// STO-020
    pub zstd_window: u64,
    /// OCI-013
    pub oci_document: u64,
    /// OCI-014
    pub oci_depth: usize,
    /// OCI-032: indexes that name one another
    pub oci_indexes: usize,
    /// OCI-050
    pub oci_zstd_window: u64,
    /// OCI-059
    pub oci_extension: u64,
    /// OCI-081
    pub oci_entries: u64,
    /// OCI-085: a file of names
    pub oci_passwd: u64,
    /// SIG-005
    pub envelope: u64,
    /// SIG-006
    pub envelope_other: u64,
    /// SIG-011, REL-016 and POL-011
    pub signatures: usize,
    /// REL-016
    pub root_threshold: usize,
    /// REL-006, in seconds
    pub clock_ahead: i64,
    /// REL-029
    pub keyring_steps: usize,
    /// REL-039, in seconds
    pub catalog_seconds: i64,
    /// POL-031
    pub state: u64,
    /// LOG-001
    pub log_proof: u64,
    /// LOG-005
    pub log_hashes: usize,
    /// LOG-009
    pub log_signatures: usize,
    /// LOG-016
    pub log_entry: usize,
}

impl Limits {
    /// The limits of format version 1.0.
    pub const FORMAT: Self = Self {
        document: 1 << 20,
        member_name: 256,
        string: 128 << 10,
        integer: (1 << 53) - 1,
        depth: 16,
        host_label: 63,
        host: 253,
        name: 255,
        version: 128,
        version_number: (1 << 53) - 1,
        channel: 64,
        manifest: 1 << 20,
        array: 1024,
        argument: 131_071,
        environment_name: 255,
        environment_variable: 131_071,
        id: (1 << 32) - 2,
        grace_seconds: 86_400,
        ports: 64,
        mounts: 64,
        layers: 128,
        layer: 1 << 40,
        layers_total: 1 << 42,
        attachments: 64,
        attachment: 1 << 30,
        links_followed: 40,
        interpreter_head: 64 << 10,
        layer_lines: 500_000,
        mtime: (1 << 33) - 1,
        file: 1 << 40,
        pax_body: 128 << 10,
        path: 4095,
        path_components: 128,
        component: 255,
        target: 4095,
        xattrs: 64,
        xattr_name: 255,
        xattr_values: 65_536,
        listing: 256 << 20,
        line: 256 << 10,
        rootfs_lines: 1_000_000,
        envelopes: 64,
        zstd_window: 8 << 20,
        oci_document: 4 << 20,
        oci_depth: 64,
        oci_indexes: 16,
        oci_zstd_window: 128 << 20,
        oci_extension: 1 << 20,
        oci_entries: 1_000_000,
        oci_passwd: 1 << 20,
        envelope: 4 << 20,
        envelope_other: 1 << 20,
        signatures: 16,
        root_threshold: 8,
        clock_ahead: 300,
        keyring_steps: 1024,
        catalog_seconds: 2_592_000,
        state: 16 << 20,
        log_proof: 64 << 10,
        log_hashes: 63,
        log_signatures: 64,
        log_entry: 65_535,
    };

    /// Each limit that a clause sets: the id of the clause and the value.
    ///
    /// The limits chapter of the specification has one row for each.
    #[must_use]
    pub fn by_clause(&self) -> Vec<(&'static str, u64)> {
        let size = |value: usize| value as u64;
        let whole = |value: i64| value.unsigned_abs();
        let validated: Vec<(&'static Clause, u64)> = vec![
            (&clause::JSN_005, self.document),
            (&clause::JSN_010, size(self.member_name)),
            (&clause::JSN_011, size(self.string)),
            (&clause::JSN_014, whole(self.integer)),
            (&clause::JSN_016, size(self.depth)),
            (&clause::NAM_002, size(self.host_label)),
            (&clause::NAM_003, size(self.host)),
            (&clause::NAM_008, size(self.name)),
            (&clause::NAM_011, size(self.version)),
            (&clause::NAM_012, self.version_number),
            (&clause::NAM_013, size(self.channel)),
            (&clause::MAN_001, self.manifest),
            (&clause::MAN_008, size(self.array)),
            (&clause::MAN_021, size(self.argument)),
            (&clause::MAN_023, size(self.environment_name)),
            (&clause::MAN_025, size(self.environment_variable)),
            (&clause::MAN_026, whole(self.id)),
            (&clause::LAY_020, whole(self.id)),
            (&clause::MAN_030, whole(self.grace_seconds)),
            (&clause::MAN_031, size(self.ports)),
            (&clause::MAN_037, size(self.mounts)),
            (&clause::MAN_048, size(self.layers)),
            (&clause::MAN_049, self.layer),
            (&clause::MAN_050, self.layers_total),
            (&clause::MAN_052, size(self.attachments)),
            (&clause::MAN_054, self.attachment),
            (&clause::MAN_015, size(self.links_followed)),
            (&clause::MAN_017, size(self.interpreter_head)),
            (&clause::LAY_006, self.layer_lines),
            (&clause::LAY_021, whole(self.mtime)),
            (&clause::LAY_022, self.file),
            (&clause::LAY_025, self.pax_body),
            (&clause::LAY_043, size(self.path)),
            (&clause::LAY_044, size(self.path_components)),
            (&clause::LAY_045, size(self.component)),
            (&clause::LAY_052, size(self.target)),
            (&clause::LAY_057, size(self.xattrs)),
            (&clause::LAY_059, size(self.xattr_name)),
            (&clause::LAY_061, size(self.xattr_values)),
            (&clause::LST_014, self.listing),
            (&clause::LST_015, size(self.line)),
            (&clause::LST_020, self.rootfs_lines),
            (&clause::STO_015, size(self.envelopes)),
            (&clause::STO_020, self.zstd_window),
            (&clause::OCI_013, self.oci_document),
            (&clause::OCI_014, size(self.oci_depth)),
            (&clause::OCI_032, size(self.oci_indexes)),
            (&clause::OCI_050, self.oci_zstd_window),
            (&clause::OCI_059, self.oci_extension),
            (&clause::OCI_081, self.oci_entries),
            (&clause::OCI_082, size(self.path)),
            (&clause::OCI_085, self.oci_passwd),
            (&clause::SIG_005, self.envelope),
            (&clause::SIG_006, self.envelope_other),
            (&clause::SIG_011, size(self.signatures)),
            (&clause::REL_016, size(self.signatures)),
            (&clause::REL_039, whole(self.catalog_seconds)),
            (&clause::POL_011, size(self.signatures)),
            (&clause::POL_031, self.state),
            (&clause::LOG_001, self.log_proof),
            (&clause::LOG_005, size(self.log_hashes)),
            (&clause::LOG_009, size(self.log_signatures)),
        ];
        let verified = [
            ("REL-006", whole(self.clock_ahead)),
            ("REL-029", size(self.keyring_steps)),
            ("REL-036", size(self.envelopes)),
            ("LOG-013", whole(self.clock_ahead)),
            ("LOG-016", size(self.log_entry)),
        ];
        validated.into_iter().map(|(clause, value)| (clause.id, value)).chain(verified).collect()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::FORMAT
    }
}
