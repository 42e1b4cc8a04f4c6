//! `cornercast log`: logs in directories.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::limits::Limits;
use cornercast::trust::tiles::new_tiles;
use cornercast::trust::tree::{Hash, leaf_hash};
use cornercast::trust::{Checkpoint, PayloadType, check_proof, log_vkey, read_log_vkey, sign};

use super::site::{NOW, Site, envelope, key};

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&envelope(number))).collect()
}

/// A catalog with one version.
fn catalog() -> Vec<u8> {
    let digest = "5a".repeat(32);
    let payload = serde_json::json!({
        "expires": "2026-12-01T00:00:00Z",
        "issued": "2026-11-24T00:00:00Z",
        "keyring": {"digest": format!("sha256:{digest}"), "version": 1},
        "name": "example.com/hello",
        "serial": 1,
        "versions": {"1.0.0": [{
            "image": {"digest": format!("sha256:{digest}"), "size": 100},
            "platform": {"architecture": "amd64", "os": "linux"},
        }]},
    });
    sign(PayloadType::Catalog, &serde_json_canonicalizer::to_vec(&payload).unwrap(), &[&key(9)])
}

fn checkpoint(site: &Site, log: &str) -> Checkpoint {
    Checkpoint::read(&site.read(&format!("{log}/checkpoint")), &Limits::FORMAT).unwrap()
}

#[test]
fn a_log_begins_empty() {
    let site = Site::new();
    site.log_of("log", 0);
    let text = String::from_utf8(site.read("log/checkpoint")).unwrap();
    assert!(text.starts_with("log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— log.example "));
    assert!(site.does(&["check", "log"]).starts_with("0 entries, root e3b0c442"));
    site.does(&["witness", "log", "--key", "witness.key", "--name", "witness.example"]);
    site.does(&["check", "log", "--log-key", &key(1).public().to_string()]);
    site.refuses(&["check", "log", "--log-key", &key(3).public().to_string()], "the key of the log is");
    site.refuses(&["init", "log", "--origin", "other", "--key", "log.key"], "holds a log already");
    site.refuses(&["check", "."], "is no log");
    assert_eq!(site.log(&["init", "other", "--origin", "a+b", "--key", "log.key"]).code, Some(2));
    assert_eq!(site.log(&["init", "other", "--origin", "ab"]).code, Some(2));
    assert_eq!(site.log(&["init", "other", "--origin", "ab", "--key", "log.key", "--key", "other.key"]).code, Some(2));
}

/// A program that signs can stand for a key.
#[test]
fn a_program_signs() {
    let site = Site::new();
    let text = Checkpoint::of("log.example", &[]).text;
    let signature = STANDARD.encode(key(1).sign(text.as_bytes()));
    let program = format!("#!/bin/sh\ncat >/dev/null\necho {}\necho {signature}\n", key(1).public());
    fs::write(site.path("sign"), program).unwrap();
    fs::set_permissions(site.path("sign"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    site.does(&["init", "log", "--origin", "log.example", "--signer", "./sign"]);
    site.does(&["check", "log", "--log-key", &key(1).public().to_string()]);
    // It gives the same signature for everything.
    site.envelopes(0..1);
    site.refuses(&["add", "log", "0.json", "--signer", "./sign"], "the signature that it gave does not hold");
    let said = site.log(&["witness", "log", "--signer", "./sign", "--name", "w"]);
    assert!(said.code == Some(2) && said.error.contains("give --state FILE"), "{said:?}");
    site.does(&["check", "log"]);
}

#[test]
fn an_entry_is_added_once() {
    let site = Site::new();
    site.log_of("log", 3);
    let before = site.read("log/checkpoint");
    site.envelopes(3..5);
    let said = site.does(&["add", "log", "1.json", "--key", "log.key"]);
    assert_eq!(said, "1 1.json (it was there)\n");
    assert_eq!(site.read("log/checkpoint"), before);
    let said = site.does(&["add", "log", "3.json", "0.json", "4.json", "3.json", "--key", "log.key"]);
    assert_eq!(said, "3 3.json\n0 0.json (it was there)\n4 4.json\n3 3.json (given twice)\n");
    assert_eq!(checkpoint(&site, "log").size, 5);
    site.does(&["check", "log"]);
}

#[test]
fn what_no_log_takes_changes_nothing() {
    let site = Site::new();
    site.log_of("log", 2);
    let before = site.read("log/checkpoint");
    site.envelopes(2..3);
    fs::write(site.path("long.json"), vec![b' '; 65_536]).unwrap();
    fs::write(site.path("none.json"), "{}").unwrap();
    site.refuses(&["add", "log", "2.json", "long.json", "--key", "log.key"], "[LOG-016]");
    site.refuses(&["add", "log", "2.json", "none.json", "--key", "log.key"], "none.json is not valid");
    fs::write(site.path("catalog.json"), catalog()).unwrap();
    site.refuses(&["add", "log", "2.json", "catalog.json", "--key", "log.key"], "catalog.json is a catalog");
    site.refuses(&["add", "log", "2.json", "--key", "other.key"], "the key of the log is");
    assert_eq!(site.log(&["add", "log", "absent.json", "--key", "log.key"]).code, Some(2));
    assert_eq!(site.read("log/checkpoint"), before);
    assert!(!site.path("log/tile/0/000.p/3").exists());
    site.does(&["check", "log"]);
}

/// The tiles are those of the definition, also where one becomes whole and the next begins.
#[test]
fn tiles_become_whole() {
    let site = Site::new();
    site.log_of("log", 255);
    for size in [255, 256, 257, 258] {
        site.add("log", size - 1..size);
        for (tile, content) in new_tiles(&leaves(size), 0) {
            assert_eq!(site.read(&format!("log/{}", tile.path())), content, "{}", tile.path());
        }
        assert!(site.does(&["check", "log"]).starts_with(&format!("{size} entries, root ")));
        assert!(checkpoint(&site, "log").is_signed_by(&key(1).public()));
        // The parts of what is whole are not needed any more.
        assert_eq!(site.path("log/tile/0/000.p").exists(), size < 256);
        assert_eq!(site.path("log/tile/entries/000.p").exists(), size < 256);
    }
    assert!(site.path("log/tile/entries/001.p/2").exists() && site.path("log/tile/1/000.p/1").exists());
    for number in [0, 255, 256, 257] {
        let proof = site.does(&["prove", "log", &format!("{number}.json")]);
        assert_eq!(check_proof(proof.as_bytes(), &Limits::FORMAT).0.unwrap().index, number);
    }
}

/// A checkpoint that was read before a tile became whole is good for the whole tile.
#[test]
fn the_whole_tile_stands_for_its_part() {
    let site = Site::new();
    site.log_of("log", 200);
    let before = site.read("log/checkpoint");
    site.add("log", 200..300);
    fs::write(site.path("log/checkpoint"), before).unwrap();
    assert!(site.does(&["check", "log"]).starts_with("200 entries"));
}

#[test]
fn a_witness_signs_what_continues() {
    let site = Site::new();
    site.log_of("log", 2);
    let witness = ["witness", "log", "--key", "witness.key", "--name", "witness.example/1"];
    let at = ["--at", "2026-11-24T00:00:00Z"];
    assert_eq!(site.does(&[&witness[..], &at].concat()), "2 entries, signed at 2026-11-24T00:00:00Z\n");
    let public = key(2).public();
    assert_eq!(checkpoint(&site, "log").witnessed_by("witness.example/1", &public), Some(NOW));
    let before = site.read("log/checkpoint");
    let again = site.does(&[&witness[..], &["--at", "2026-11-25T00:00:00Z"]].concat());
    assert_eq!(again, "2 entries, signed before, at 2026-11-24T00:00:00Z\n");
    assert_eq!(site.read("log/checkpoint"), before);
    // The time of builds is none at which anybody saw the log.
    let said = site.does(&["witness", "log", "--key", "other.key", "--name", "witness.example/2"]);
    assert!(!said.contains("2026-11-24T00:00:00Z"), "{said}");
    site.does(&["check", "log", "--witness", &format!("witness.example/1={public}")]);

    // The next checkpoint is signed anew.
    site.add("log", 2..4);
    site.refuses(&["check", "log", "--witness", &format!("witness.example/1={public}")], "no signature of the witness");
    site.does(&[&witness[..], &["--at", "2026-11-26T00:00:00Z"]].concat());
    assert_eq!(checkpoint(&site, "log").witnessed_by("witness.example/1", &public), Some(NOW + 2 * 86_400));
    site.refuses(&[&witness[..], &["--at", "1970-01-01T00:00:00Z"]].concat(), "LOG-013");
    site.refuses(&[&witness[..], &["--at", "0001-01-01T00:00:00Z"]].concat(), "LOG-013");
}

#[test]
fn a_witness_refuses_what_was_taken_back_or_changed() {
    let site = Site::new();
    site.log_of("log", 5);
    let seen = |log| ["witness", log, "--key", "witness.key", "--name", "w", "--state", "seen"];
    site.does(&seen("log"));
    let remembered = site.read("seen");

    site.log_of("short", 4);
    site.refuses(&seen("short"), "entries were taken back");
    site.does(&["init", "fork", "--origin", "log.example", "--key", "log.key"]);
    site.add("fork", 0..4);
    site.add("fork", 9..12);
    site.refuses(&seen("fork"), "there are two logs of this name");
    site.does(&["init", "elsewhere", "--origin", "other.example", "--key", "log.key"]);
    site.refuses(&seen("elsewhere"), "has seen the log log.example");
    site.does(&["init", "stolen", "--origin", "log.example", "--key", "other.key"]);
    site.refuses(&seen("stolen"), "the key of the log is");
    let other = key(3).public().to_string();
    site.refuses(&[&seen("log")[..], &["--log-key", &other]].concat(), "the key of the log is");
    assert_eq!(site.read("seen"), remembered);
    for log in ["short", "fork", "elsewhere", "stolen"] {
        assert_eq!(checkpoint(&site, log).signatures.len(), 1, "{log}");
    }
    // Others see the same by comparing two checkpoints.
    site.refuses(&["check", "short", "--earlier", "log/checkpoint"], "entries were taken back");
    site.refuses(&["check", "fork", "--earlier", "log/checkpoint"], "there are two logs of this name");
    site.does(&["check", "log", "--earlier", "short/checkpoint"]);

    site.add("log", 5..6);
    site.does(&seen("log"));
    fs::write(site.path("seen"), "{}").unwrap();
    site.refuses(&seen("log"), "is not what a witness has seen");
}

/// A byte that is another one is found, whichever file it is in.
#[test]
fn check_finds_damage() {
    let site = Site::new();
    site.log_of("log", 258);
    site.does(&["witness", "log", "--key", "witness.key", "--name", "w"]);
    for (file, why) in [
        ("tile/0/000", "do not lead to the root"),
        ("tile/0/001.p/2", "do not lead to the root"),
        ("tile/1/000.p/1", "does not hold the hashes of its tile"),
        ("tile/entries/000", "entries/000"),
        ("tile/entries/001.p/2", "entries/001.p/2"),
        ("checkpoint", "checkpoint"),
        ("log.vkey", "does not name the key of a log"),
    ] {
        let path = format!("log/{file}");
        let before = site.read(&path);
        for at in [0, before.len() / 2, before.len() - 2] {
            let mut damaged = before.clone();
            damaged[at] ^= 1;
            fs::write(site.path(&path), &damaged).unwrap();
            // The last line of the checkpoint is a witness's, whom nobody has asked for.
            if file != "checkpoint" || at == 0 {
                site.refuses(&["check", "log"], why);
            }
        }
        fs::write(site.path(&path), &before[..before.len() - 1]).unwrap();
        site.refuses(&["check", "log"], "");
        fs::remove_file(site.path(&path)).unwrap();
        site.refuses(&["check", "log"], "");
        fs::write(site.path(&path), before).unwrap();
        site.does(&["check", "log"]);
    }
}

#[test]
fn a_proof_goes_where_it_is_asked_for() {
    let site = Site::new();
    site.log_of("log", 4);
    site.does(&["witness", "log", "--key", "witness.key", "--name", "w"]);
    let proof = site.does(&["prove", "log", "2.json"]);
    assert_eq!(proof.lines().filter(|line| line.starts_with("— ")).count(), 2);
    site.does(&["prove", "log", "2.json", "-o", "2.proof"]);
    assert_eq!(site.read("2.proof"), proof.as_bytes());
    site.envelopes(7..8);
    site.refuses(&["prove", "log", "7.json"], "7.json is not in the log of 4 entries");
    fs::create_dir(site.path("store")).unwrap();
    site.refuses(&["prove", "log", "2.json", "--store", "store"], "which the proof is of");
    assert_eq!(fs::read_dir(site.path("store")).unwrap().count(), 0);
}

/// Whenever a process is killed that adds, the log is whole, and what it left does not disturb the next one.
#[test]
fn a_killed_process_leaves_a_whole_log() {
    let site = Site::new();
    site.log_of("log", 1);
    let names = site.envelopes(1..300);
    let mut size = 1;
    for round in 0..20_u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(["log", "add", "log", "--key", "log.key"]).current_dir(site.path(""));
        // Other entries at the same places, some of them over the edge of a tile.
        let from = usize::try_from(round).unwrap() * 13;
        command.args(names.iter().skip(from).take(280)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(5 + round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        site.does(&["check", "log"]);
        let now = checkpoint(&site, "log").size;
        assert!(now >= size, "{now} after {size}");
        size = now;
    }
    site.add("log", 0..300);
    assert!(site.does(&["check", "log"]).starts_with("300 entries"));
}

/// Two processes do not give the same number to two entries.
#[test]
fn processes_wait_for_each_other() {
    let site = Site::new();
    site.log_of("log", 0);
    site.envelopes(0..12);
    let add = |number: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(["log", "add", "log", &format!("{number}.json"), "--key", "log.key"]);
        command.current_dir(site.path("")).stdout(Stdio::null()).spawn().unwrap()
    };
    for mut child in (0..12).map(add).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    assert!(site.does(&["check", "log"]).starts_with("12 entries"));
}

/// What is no checkpoint is not taken for one.
#[test]
fn checkpoints_have_one_form() {
    let mut sound = Checkpoint::of("log.example", &leaves(3));
    let signature = key(1).sign(sound.text.as_bytes());
    sound.add_log(&key(1).public(), &signature);
    let text = sound.write();
    let read = |text: &str| Checkpoint::read(text.as_bytes(), &Limits::FORMAT);
    assert_eq!(read(&text), Ok(sound.clone()));
    for (from, to, why) in [
        ("log.example\n3", "log+example\n3", "no origin"),
        ("log.example\n3", "log.example\n03", "not the size"),
        ("log.example\n3", "log.example\n9007199254740992", "not the size"),
        ("log.example\n3", "log.example\n0", "empty log"),
        ("log.example\n3", "log.example\n3\n3", "4 lines"),
        ("log.example\n3", "3", "2 lines"),
        ("=\n\n", "\n\n", "root hash"),
        ("\n\n", "\n", "no empty line"),
        ("— ", "- ", "no signature line"),
        ("— ", "\n— ", "no signature line"),
    ] {
        assert!(text.contains(from), "{from}");
        let why_not = read(&text.replacen(from, to, 1)).unwrap_err();
        assert!(why_not.contains(why), "{to}: {why_not}");
    }
    assert!(read(text.trim_end()).unwrap_err().contains("newline"));
    let line = text.lines().last().unwrap();
    assert!(read(&format!("{text}{}", format!("{line}\n").repeat(63))).is_ok());
    assert!(read(&format!("{text}{}", format!("{line}\n").repeat(64))).unwrap_err().contains("more than 64"));
    // The log signs once (LOG-011).
    assert!(sound.is_signed_by(&key(1).public()) && !sound.is_signed_by(&key(2).public()));
    assert!(!read(&format!("{text}{line}\n")).unwrap().is_signed_by(&key(1).public()));
    assert!(!read(&text.replacen("log.example\n3", "log.example\n4", 1)).unwrap().is_signed_by(&key(1).public()));
}

#[test]
fn a_witness_signs_a_checkpoint_once() {
    let (public, mut note) = (key(2).public(), Checkpoint::of("log.example", &leaves(3)));
    let mut add = |seconds: u64, of: u64| {
        let signature = key(2).sign(&note.cosigned_bytes(of));
        note.add_witness("w", &public, seconds, &signature);
        (note.signatures.len(), note.witnessed_by("w", &public))
    };
    assert_eq!(add(NOW, NOW), (1, Some(NOW)));
    assert_eq!(add(NOW + 1, NOW + 1), (1, Some(NOW + 1)));
    assert_eq!(add(NOW + 1, NOW), (1, None));
    assert_eq!(add(0, 0), (1, None));
    assert_eq!(add(NOW, NOW), (1, Some(NOW)));
    assert_eq!(note.witnessed_by("v", &public), None);
    assert_eq!(note.witnessed_by("w", &key(3).public()), None);
    note.signatures.extend(note.signatures.clone());
    assert_eq!(note.witnessed_by("w", &public), None);
}

#[test]
fn the_key_of_a_log_has_one_form() {
    let text = log_vkey("log.example", &key(1).public());
    assert!(read_log_vkey(&text).is_some());
    let number = text.split('+').nth(1).unwrap();
    for other in [
        text.replace(number, "00000000"),
        text.replace(number, &number.to_uppercase()),
        text.replace("log.example", "other.example"),
        text.replace("log.example", ""),
        text.replace("+A", "+B"),
        format!("{text} "),
        text[..text.len() - 1].to_owned(),
    ] {
        assert!(other == text || read_log_vkey(&other).is_none(), "{other}");
    }
}
