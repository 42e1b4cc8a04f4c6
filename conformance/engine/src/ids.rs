//! Which users and groups there are: in a user namespace, those that are mapped.

use std::fs;
use std::io;
use std::ops::Range;

use cornercast::layer::{Node, Tree};
use cornercast::manifest::User;

use crate::refusal::{Reason, Refusals};

/// The greatest id that every engine has to represent (RUN-022).
const COMMON: u32 = i32::MAX.cast_unsigned();

/// The ids that this process can give away.
#[derive(Debug)]
pub(crate) struct Ids {
    users: Mapped,
    groups: Mapped,
    /// The greatest one that the backend can represent.
    greatest: u32,
}

impl Ids {
    /// Those of the user namespace of this process, up to `greatest`.
    pub(crate) fn of_this_process(greatest: u32) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).map(|text| Mapped::parse(&text));
        Ok(Self { users: read("uid_map")?, groups: read("gid_map")?, greatest })
    }

    /// The user of the application and whatever the tree belongs to.
    pub(crate) fn judge(&self, user: &User, tree: &Tree, refusals: &mut Refusals) {
        let groups = user.supplementary_gids.iter().chain([&user.gid]);
        let ids = std::iter::once((user.uid, &self.users)).chain(groups.map(|gid| (*gid, &self.groups)));
        for (id, mapped) in ids {
            let why = if id > self.greatest {
                format!("the user or group {id} cannot be represented; the greatest is {}", self.greatest)
            } else if !mapped.has(id) {
                format!("the user or group {id} is not mapped in the user namespace of the engine")
            } else {
                continue;
            };
            // RUN-022; lower ones are a matter of the host.
            refusals.push(if id > COMMON { Reason::new("RUN-022", why) } else { Reason::of_host(why) });
            break;
        }
        let foreign = tree.iter().find(|(_, entry)| {
            let (uid, gid) = owner(entry.node);
            !self.users.has(uid) || !self.groups.has(gid)
        });
        if let Some((path, entry)) = foreign {
            let (uid, gid) = owner(entry.node);
            let why = format!(
                "`/{path}` belongs to the user {uid} and the group {gid}, which are not both mapped in the user namespace of the engine"
            );
            refusals.push(Reason::of_host(why));
        }
    }
}

fn owner(node: &Node) -> (u32, u32) {
    match node {
        Node::Symlink { uid, gid, .. } => (*uid, *gid),
        other => other.attributes().map_or((0, 0), |attributes| (attributes.uid, attributes.gid)),
    }
}

/// Ranges of ids inside a user namespace.
#[derive(Debug)]
struct Mapped(Vec<Range<u64>>);

impl Mapped {
    /// Reads a map: the first id inside, the first outside and how many, in each line (user_namespaces(7)).
    fn parse(text: &str) -> Self {
        let range = |line: &str| {
            let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
            let (first, _, count) = (numbers.next()?.ok()?, numbers.next()?, numbers.next()?.ok()?);
            Some(first..first + count)
        };
        Self(text.lines().filter_map(range).collect())
    }

    fn has(&self, id: u32) -> bool {
        self.0.iter().any(|range| range.contains(&u64::from(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_map_are_those_inside() {
        let all = Mapped::parse("         0          0 4294967295\n");
        assert!([0, 1000, u32::MAX - 1].iter().all(|id| all.has(*id)) && !all.has(u32::MAX));
        let two = Mapped::parse("0 1000 1\n1 100000 65536\n");
        assert!(two.has(0) && two.has(65_536) && !two.has(65_537) && !two.has(100_000));
        let partly = Mapped::parse("0 1000\n0 x 1\n");
        assert!(partly.has(0) && !partly.has(1));
        assert!(!Mapped::parse("").has(0));
    }
}
