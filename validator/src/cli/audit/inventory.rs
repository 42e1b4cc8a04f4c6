//! The inventory of the merged tree on the page.

use super::page::{Part, counted};
use crate::audit::{Inventory, Item, OddLink, Oddity};

pub(super) fn push(parts: &mut Vec<Part>, inventory: &Inventory) {
    parts.push(Part::new("Inventory of the merged tree"));
    parts.push(items("Setuid files", &inventory.setuid));
    parts.push(items("Setgid files", &inventory.setgid));
    parts.push(items("Setgid directories", &inventory.setgid_directories));
    let capable = inventory.capabilities.iter().map(|capable| {
        vec![capable.capabilities.clone().unwrap_or_else(|| capable.value.clone()), capable.path.clone()]
    });
    let title = counted("Files with capabilities", inventory.capabilities.len());
    parts.push(Part::detail(title).table(&["capabilities", "path"], capable.collect()));
    parts.push(items("World-writable files", &inventory.world_writable_files));
    parts.push(items("World-writable directories, not sticky", &inventory.world_writable_directories));
    parts.push(items("World-writable directories, sticky", &inventory.sticky_directories));
    let links = inventory.odd_links.iter().map(|link| vec![why(link), link.path.clone(), link.target.clone()]);
    let title = counted("Odd symbolic links", inventory.odd_links.len());
    parts.push(Part::detail(title).table(&["what is odd", "path", "target"], links.collect()));
    let names = items("Files with names of secrets", &inventory.secret_names);
    parts.push(names.note("By their names only: nothing is known of what is in them."));
    let others = inventory
        .extended_attributes
        .iter()
        .map(|attribute| vec![attribute.name.clone(), attribute.value.clone(), attribute.path.clone()]);
    let title = counted("Other extended attributes", inventory.extended_attributes.len());
    parts.push(Part::detail(title).table(&["name", "value in base64", "path"], others.collect()));
}

fn items(title: &str, items: &[Item]) -> Part {
    let rows = items
        .iter()
        .map(|item| vec![format!("{:04o}", item.mode), format!("{}:{}", item.uid, item.gid), item.path.clone()]);
    Part::detail(counted(title, items.len())).table(&["mode", "owner", "path"], rows.collect())
}

fn why(link: &OddLink) -> String {
    let words: Vec<&str> = link
        .odd
        .iter()
        .map(|odd| match odd {
            Oddity::Outside => "leads outside the root",
            Oddity::Dangling => "leads to nothing",
            Oddity::Loop => "leads in a circle, or through too many links",
            Oddity::System => "leads into /proc, /dev or /sys",
        })
        .collect();
    words.join("; ")
}
