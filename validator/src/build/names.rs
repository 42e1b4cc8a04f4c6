//! Names, targets of links and extended attributes that a layer can hold.

use super::tree::BuildError;
use crate::layer::contains_control;
use crate::limits::Limits;
use crate::shown::{quoted, shown_bytes};

/// The name of an extended attribute that a layer can hold, or why it is left out, where that is not clear.
pub(super) fn keep_xattr(name: &[u8], value: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(name).map_err(|_| "")?;
    let is_user = text.strip_prefix("user.").is_some_and(|rest| !rest.is_empty()) && !text.starts_with("user.overlay.");
    let is_capability = text == "security.capability";
    let well_formed =
        text.len() <= Limits::FORMAT.xattr_name && text.bytes().all(|byte| matches!(byte, 0x21..=0x7E) && byte != b'=');
    if !(is_user || is_capability) || !well_formed {
        return Err("");
    }
    if value.is_empty() {
        return Err(", since it is empty");
    }
    if is_capability && !(value.len() == 20 && matches!(value, [0 | 1, 0, 0, 2, ..])) {
        return Err(", since it is not of revision 2");
    }
    Ok(text.to_owned())
}

/// The name of an entry as text, if a layer can hold it (LAY-071).
///
/// # Errors
///
/// Why it cannot.
pub(crate) fn name(parent: &str, name: &[u8], markers: bool) -> Result<String, BuildError> {
    let refuse = |why: &str| {
        let path = crate::layer::join(parent, &shown_bytes(name));
        Err(BuildError::Refused(format!("{} cannot be in a layer: {why}; rename it or leave it out", quoted(&path))))
    };
    let Ok(text) = std::str::from_utf8(name) else { return refuse("its name is not UTF-8") };
    if contains_control(text) {
        return refuse("its name contains a control character");
    }
    if text.starts_with(".wh.") && !markers {
        return refuse("its name begins with `.wh.`, which is for whiteouts");
    }
    if text.len() > Limits::FORMAT.component {
        return refuse("its name is longer than 255 bytes");
    }
    let path = crate::layer::join(parent, text);
    if path.len() > Limits::FORMAT.path || path.split('/').count() > Limits::FORMAT.path_components {
        return refuse("its path is longer than 4,095 bytes or 128 components");
    }
    Ok(path)
}

/// The target of a link as text, if a layer can hold it (LAY-071).
///
/// # Errors
///
/// Why it cannot.
pub(super) fn target(path: &str, target: &[u8]) -> Result<String, BuildError> {
    let refuse = |why: &str| Err(BuildError::Refused(format!("the link {} cannot be in a layer: {why}", quoted(path))));
    match std::str::from_utf8(target) {
        Err(_) => refuse("its target is not UTF-8"),
        Ok("") => refuse("its target is empty"),
        Ok(text) if contains_control(text) => refuse("its target contains a control character"),
        Ok(text) if text.len() > Limits::FORMAT.target => refuse("its target is longer than 4,095 bytes"),
        Ok(text) => Ok(text.to_owned()),
    }
}
