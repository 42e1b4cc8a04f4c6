//! What is mounted.

use std::fs;

use serde_json::{Value, json};

use super::Seen;
use crate::tree::unescaped;
use crate::value;

/// The lines of `/proc/self/mountinfo`, in their order.
pub(super) fn mounts() -> Seen {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(mount).collect())
}

/// One line: `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
fn mount(line: &[u8]) -> Value {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next().unwrap_or_default();
    let [_id, _parent, _device, root, point, options] = [next(), next(), next(), next(), next(), next()];
    // Any number of fields about propagation ends with a dash.
    let mut tail = fields.skip_while(|field| *field != b"-").skip(1);
    let mut next = || tail.next().unwrap_or_default();
    let [kind, source, super_options] = [next(), next(), next()];
    json!({
        "point": value::text(&unescaped(point)),
        "root": value::text(&unescaped(root)),
        "type": value::text(&unescaped(kind)),
        "options": sorted(options),
        "superOptions": sorted(super_options),
        "source": value::text(&unescaped(source)),
    })
}

fn sorted(options: &[u8]) -> Value {
    let mut options: Vec<Vec<u8>> = options.split(|byte| *byte == b',').map(unescaped).collect();
    options.sort();
    options.iter().map(|option| value::text(option)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let line = br"36 35 98:0 /mnt\0401 /a\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue";
        let expected = json!({
            "point": "/a b",
            "root": "/mnt 1",
            "type": "ext3",
            "options": ["noatime", "rw"],
            "superOptions": ["errors=continue", "rw"],
            "source": "/dev/root",
        });
        assert_eq!(mount(line), expected);
        assert_eq!(mount(b"36 35").get("point"), Some(&json!("")));
    }
}
