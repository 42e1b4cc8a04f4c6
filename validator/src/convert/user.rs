//! The user of an OCI image in numbers.

use super::rootfs::Rootfs;
use crate::limits::Limits;
use crate::manifest;
use crate::shown::quoted;

/// Who runs the program, and where they are at home.
pub(crate) struct User {
    pub(crate) ids: manifest::User,
    pub(crate) home: Option<String>,
}

/// Resolves `user`, `uid`, `user:group` and so on in the image's own tables (OCI-146).
///
/// Digits are an id, never a name. Without a group the user has the one that /etc/passwd gives, else 0,
/// and the further groups that list the user; with one, that group alone.
///
/// # Errors
///
/// Why there is no such user, as a sentence.
pub(crate) fn user(text: &str, rootfs: &Rootfs) -> Result<User, String> {
    resolve(text, rootfs).map_err(|why| format!("the user {}: {why}", quoted(text)))
}

fn resolve(text: &str, rootfs: &Rootfs) -> Result<User, String> {
    let (who, group) = text.split_once(':').unwrap_or((text, ""));
    let who = if who.is_empty() { "0" } else { who };
    let who_id = id(who.as_bytes())?;
    let group_id = id(group.as_bytes())?;
    let passwd = rootfs.table("/etc/passwd");
    let groups = rootfs.table("/etc/group");
    let row = passwd.iter().find(|row| match who_id {
        Some(uid) => row.get(2).is_some_and(|field| id(field) == Ok(Some(uid))),
        None => row.first().is_some_and(|name| name == who.as_bytes()),
    });
    let uid = who_id.or(number(row, 2)?).ok_or("it is not in /etc/passwd of the image")?;
    let home =
        row.and_then(|row| std::str::from_utf8(row.get(5)?).ok()).filter(|home| is_home(home)).map(str::to_owned);
    if !group.is_empty() {
        let row = groups.iter().find(|row| row.first().is_some_and(|name| name == group.as_bytes()));
        let gid = group_id.or(number(row, 2)?).ok_or("its group is not in /etc/group of the image")?;
        return Ok(User { ids: manifest::User { uid, gid, supplementary_gids: Vec::new() }, home });
    }
    let gid = number(row, 3)?.unwrap_or(0);
    // The name that groups list.
    let name = match who_id {
        Some(_) => row.and_then(|row| row.first()).map(Vec::as_slice),
        None => Some(who.as_bytes()),
    };
    let name = name.filter(|name| !name.is_empty());
    let mut further = Vec::new();
    for row in &groups {
        let members = row.get(3).map(Vec::as_slice).unwrap_or_default();
        if members.split(|byte| *byte == b',').any(|member| Some(member) == name) {
            further.extend(number(Some(row), 2)?.filter(|other| *other != gid));
        }
    }
    further.sort_unstable();
    further.dedup();
    Ok(User { ids: manifest::User { uid, gid, supplementary_gids: further }, home })
}

/// The number in a column of a line; nothing if there is none.
fn number(row: Option<&Vec<Vec<u8>>>, column: usize) -> Result<Option<u32>, String> {
    row.and_then(|row| row.get(column)).map_or(Ok(None), |field| id(field))
}

/// Whether a manifest can hold a directory as `HOME`.
fn is_home(home: &str) -> bool {
    home.starts_with('/') && !home.contains('\0') && "HOME=".len() + home.len() <= Limits::FORMAT.environment_variable
}

/// An id in digits; nothing if it is something else.
///
/// # Errors
///
/// A number that is no id: the largest of 32 bits means none.
fn id(text: &[u8]) -> Result<Option<u32>, String> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let number = String::from_utf8_lossy(text);
    let id = number.parse().ok().filter(|id| *id < u32::MAX);
    id.map(Some).ok_or_else(|| format!("{number} is no id; the largest is {}", u32::MAX - 1))
}
