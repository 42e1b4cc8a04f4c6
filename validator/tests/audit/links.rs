//! Symbolic links are followed once each; a walk that follows everything anew has to say the same.

use std::collections::{BTreeMap, BTreeSet};

use cornercast::audit::{Oddity, inventory};
use cornercast::digest::Digest;
use cornercast::layer::{Attributes, Entry, Node, Resolved, Tree};
use cornercast::limits::Limits;
use proptest::prelude::*;

fn symlink(path: &str, target: &str) -> Entry {
    Entry { path: path.to_owned(), node: Node::Symlink { uid: 0, gid: 0, mtime: 0, target: target.to_owned() } }
}

fn dir(path: &str) -> Entry {
    Entry { path: path.to_owned(), node: Node::Dir { attributes: Attributes::default(), opaque: false } }
}

fn file(path: &str) -> Entry {
    let node = Node::File { attributes: Attributes::default(), size: 0, sha256: Digest::of(b"") };
    Entry { path: path.to_owned(), node }
}

fn odd(tree: &Tree) -> Vec<(String, BTreeSet<Oddity>)> {
    let (inventory, _) = inventory(tree, &Limits::FORMAT);
    inventory.odd_links.into_iter().map(|link| (link.path, link.odd)).collect()
}

/// A chain of links, the first of which leads through all others.
fn chain(links: usize) -> Tree {
    let mut entries: Vec<Entry> =
        (0..links).map(|number| symlink(&format!("l{number:06}"), &format!("l{:06}", number + 1))).collect();
    entries.push(file(&format!("l{links:06}")));
    let mut tree = Tree::default();
    tree.merge(entries);
    tree
}

#[test]
fn chains_have_a_limit_and_cost_little() {
    assert_eq!(odd(&chain(40)), []);
    let over = odd(&chain(42));
    assert_eq!(over.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["l000000", "l000001"]);
    assert!(over.iter().all(|(_, odd)| *odd == BTreeSet::from([Oddity::Loop])));
    assert_eq!(odd(&chain(100_000)).len(), 100_000 - 40);
}

#[test]
fn what_is_odd() {
    let mut tree = Tree::default();
    let links = [
        ("d/absolute", "/d/f"),
        ("d/device", "/dev/null"),
        ("d/directory", "../d/"),
        ("d/file-as-directory", "f/"),
        ("d/into", "../../d/f"),
        ("d/out", "../../x"),
        ("d/root", "/"),
        ("d/self", "self"),
        ("d/through-into", "into"),
    ];
    let links = links.map(|(path, target)| symlink(path, target));
    tree.merge([dir("d")].into_iter().chain(links).chain([file("d/f")]).collect::<Vec<_>>());
    use Oddity::{Dangling, Loop, Outside, System};
    let expected = [
        ("d/device", vec![System]),
        ("d/file-as-directory", vec![Dangling]),
        ("d/into", vec![Outside]),
        ("d/out", vec![Outside, Dangling]),
        ("d/self", vec![Loop]),
        ("d/through-into", vec![Outside]),
    ];
    assert_eq!(odd(&tree), expected.map(|(path, odd)| (path.to_owned(), odd.into_iter().collect())));
}

fn target() -> impl Strategy<Value = String> {
    let component = prop::sample::select(&["a", "b", "c", "..", ".", "d"][..]);
    (any::<bool>(), prop::collection::vec(component, 1..5)).prop_map(|(is_absolute, components)| {
        // An empty component at the end asks for a directory, which the other walk does not.
        let joined = components.join("/");
        if is_absolute { format!("/{joined}/d") } else { format!("{joined}/d") }
    })
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        3 => target().prop_map(|target| Node::Symlink { uid: 0, gid: 0, mtime: 0, target }),
        2 => Just(Node::Dir { attributes: Attributes::default(), opaque: false }),
        1 => Just(Node::File { attributes: Attributes::default(), size: 0, sha256: Digest::of(b"") }),
    ]
}

proptest! {
    #[test]
    fn a_walk_that_remembers_nothing_agrees(
        nodes in prop::collection::btree_map(
            prop::collection::vec(prop::sample::select(&["a", "b", "c", "d"][..]), 1..4), node(), 1..16)
    ) {
        let mut all: BTreeMap<String, Node> = BTreeMap::new();
        for (path, node) in nodes {
            // Whatever is above an entry is a directory.
            for length in 1..path.len() {
                all.insert(path[..length].join("/"), dir("").node);
            }
            all.entry(path.join("/")).or_insert(node);
        }
        let mut tree = Tree::default();
        for (path, node) in all {
            tree.merge(vec![Entry { path, node }]);
        }
        let seen: Vec<String> = odd(&tree)
            .into_iter()
            .filter(|(_, odd)| odd.contains(&Oddity::Dangling) || odd.contains(&Oddity::Loop))
            .map(|(path, _)| path)
            .collect();
        let expected: Vec<String> = tree
            .iter()
            .filter(|(_, entry)| matches!(entry.node, Node::Symlink { .. }))
            .map(|(path, _)| path.to_owned())
            .filter(|path| matches!(tree.resolve(&format!("/{path}"), &Limits::FORMAT).0, Resolved::Nothing(_)))
            .collect();
        prop_assert_eq!(seen, expected);
    }
}
