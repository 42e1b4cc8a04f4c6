//! The three forms, and what hostile names do to them.

use std::fs;

use super::site::{HOSTILE, Site};

#[test]
fn the_three_forms() {
    let here = Site::signed();
    insta::assert_snapshot!("text", here.succeed(&["audit", "odd"]));
    insta::assert_snapshot!("json", here.succeed(&["audit", "odd", "--json"]));
    assert_eq!(here.succeed(&["audit", "odd", "--html", "odd.html"]), "");
    insta::assert_snapshot!("html", fs::read_to_string(here.path("odd.html")).unwrap());
    here.audit(&[]);
}

/// A store, an archive and a later day say the same, where the archive has what the store has.
#[test]
fn the_same_image_gives_the_same_audit() {
    let (here, there) = (Site::signed(), Site::signed());
    for form in [&["audit", "odd"][..], &["audit", "odd", "--json"], &["audit", "odd", "--html", "-"]] {
        assert_eq!(here.succeed(form), there.succeed(form));
    }
    let here = Site::new();
    here.succeed(&["pack", "tree.tar", "--manifest", "odd.toml", "-o", "odd.ccast"]);
    for form in [&["--json"][..], &[]] {
        let of = |image: &'static str| here.succeed(&[&["audit", image], form].concat());
        assert_eq!(of("odd"), of("odd.ccast"));
    }
}

/// The contents of layers are not needed.
#[test]
fn layers_are_not_read() {
    let here = Site::signed();
    let audit = here.audit(&[]);
    let layer = audit["image"]["layers"][0]["digest"].as_str().unwrap();
    fs::remove_file(here.path("odd/blobs/sha256").join(layer.strip_prefix("sha256:").unwrap())).unwrap();
    assert_eq!(here.audit(&[]), audit);
}

/// Nothing of the image is markup, nothing is loaded or run, and what cannot be seen is shown.
#[test]
fn hostile_names_stay_text() {
    let here = Site::signed();
    let html = here.succeed(&["audit", "odd", "--html", "-"]);
    assert!(html.contains("srv/&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;\\u{202E}gnp.\\u{200B}sh"), "{html}");
    assert!(html.contains("&lt;/td&gt;\\u{202E}"), "{html}");
    let text = here.succeed(&["audit", "odd"]);
    for page in [&html, &text] {
        let hidden = |character: char| character != '\n' && cornercast::shown::is_hidden(character);
        assert!(!page.contains(hidden), "{page}");
    }
    // Every `<` begins a tag that the page itself has.
    let tags = "!DOCTYPE html head meta title style body main h1 h2 h3 p table thead tbody tr th td";
    for piece in html.split('<').skip(1) {
        let name = piece.trim_start_matches('/').split([' ', '>']).next().unwrap();
        assert!(tags.split(' ').any(|tag| tag == name), "<{piece}");
    }
    for word in ["src=", "href=", "url(", "@import", "http:", "https:", "javascript:", "onload"] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'; style-src 'sha256-"), "{html}");
    let listed = here.audit(&[])["inventory"]["setuid"].clone();
    let paths: Vec<&str> = listed.as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bin/su", "bin/su-again", HOSTILE]);
}

/// An audit that is done ends with 0, whatever it says, and one that is not with 2.
#[test]
fn the_exit_status() {
    let here = Site::new();
    assert_eq!(here.run(&["audit", "odd"]).status.code(), Some(0));
    fs::create_dir(here.path("empty")).unwrap();
    fs::create_dir(here.path("oci")).unwrap();
    fs::write(here.path("oci/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let output = here.run(&["audit", "oci"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("`cornercast convert`"));
    for arguments in [
        &["audit", "missing"][..],
        &["audit", "empty"],
        &["audit", "tree.tar"],
        &["audit", "odd", "--json", "--html", "-"],
        &["audit", "odd", "--html", "missing/odd.html"],
        &["audit", "odd", "--policy", "policy.json"],
    ] {
        let output = here.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
