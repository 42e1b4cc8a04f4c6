//! The user of an OCI image in numbers.

use super::rootfs::Rootfs;
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
    for number in [who, group].into_iter().filter(|text| is_number(text)) {
        id(number).ok_or_else(|| format!("{number} is no id; the largest is {}", u32::MAX - 1))?;
    }
    let passwd = rootfs.table("/etc/passwd");
    let groups = rootfs.table("/etc/group");
    let row = passwd.iter().find(|row| match id(who) {
        Some(uid) => row.get(2).and_then(|field| id(field)) == Some(uid),
        None => row.first().is_some_and(|name| name == who),
    });
    let number = |column: usize| row.and_then(|row| row.get(column)).and_then(|field| id(field));
    let uid = id(who).or(number(2)).ok_or("it is not in /etc/passwd of the image")?;
    let home = row.and_then(|row| row.get(5)).filter(|home| home.starts_with('/')).cloned();
    if !group.is_empty() {
        let row = groups.iter().find(|row| row.first().is_some_and(|name| name == group));
        let listed = row.and_then(|row| row.get(2)).and_then(|field| id(field));
        let gid = id(group).or(listed).ok_or("its group is not in /etc/group of the image")?;
        return Ok(User { ids: manifest::User { uid, gid, supplementary_gids: Vec::new() }, home });
    }
    let gid = number(3).unwrap_or(0);
    let lists_the_user = |row: &&Vec<String>| {
        let members = row.get(3).map(String::as_str).unwrap_or_default();
        let name = passwd_name(&passwd, uid, who);
        members.split(',').any(|member| !member.is_empty() && Some(member) == name)
    };
    let mut further: Vec<u32> =
        groups.iter().filter(lists_the_user).filter_map(|row| id(row.get(2)?)).filter(|other| *other != gid).collect();
    further.sort_unstable();
    further.dedup();
    Ok(User { ids: manifest::User { uid, gid, supplementary_gids: further }, home })
}

/// The name that groups list.
fn passwd_name<'a>(passwd: &'a [Vec<String>], uid: u32, who: &'a str) -> Option<&'a str> {
    if id(who).is_none() {
        return Some(who);
    }
    passwd.iter().find(|row| row.get(2).and_then(|field| id(field)) == Some(uid))?.first().map(String::as_str)
}

/// An id in digits; the largest number means none.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| is_number(text) && *id < u32::MAX)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
