//! The Markdown of a clause as HTML: code, links to clauses, emphasis. Everything else is text.

/// The clause as HTML; a link to a clause that has a row (`is_row`) leads there, any other is its words alone.
pub(super) fn html(text: &str, is_row: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            out.push_str("<code>");
            push(&mut out, part);
            out.push_str("</code>");
        } else {
            linked(&mut out, part, &is_row);
        }
    }
    out
}

/// The clause as text, without its marks.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, words, _, after)) = link(rest) {
        out.push_str(before);
        out.push_str(words);
        rest = after;
    }
    out.push_str(rest);
    out.replace(['`', '*'], "")
}

fn linked(out: &mut String, text: &str, is_row: &impl Fn(&str) -> bool) {
    let mut rest = text;
    while let Some((before, words, target, after)) = link(rest) {
        emphasised(out, before);
        match target.rsplit_once('#') {
            Some((_, id)) if is_row(id) => {
                out.push_str("<a href=\"#");
                push(out, id);
                out.push_str("\">");
                push(out, words);
                out.push_str("</a>");
            }
            _ => push(out, words),
        }
        rest = after;
    }
    emphasised(out, rest);
}

/// What is before the first link, its words, its target, and the rest.
fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (head, tail) = text.split_once("](")?;
    let (before, words) = head.rsplit_once('[')?;
    let (target, after) = tail.split_once(')')?;
    Some((before, words, target, after))
}

fn emphasised(out: &mut String, text: &str) {
    for (index, strong) in text.split("**").enumerate() {
        let element = if index % 2 == 1 { "strong" } else { "" };
        wrapped(out, element, |out| {
            for (index, part) in strong.split('*').enumerate() {
                wrapped(out, if index % 2 == 1 { "em" } else { "" }, |out| push(out, part));
            }
        });
    }
}

fn wrapped(out: &mut String, element: &str, inner: impl FnOnce(&mut String)) {
    if element.is_empty() {
        return inner(out);
    }
    out.push_str(&format!("<{element}>"));
    inner(out);
    out.push_str(&format!("</{element}>"));
}

fn push(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_as_html_and_as_text() {
        let text = "A `a<b` of [Names](names.md#NAM-001) and [x](y.md) MUST be **one** *or* two & \"three\".";
        assert_eq!(
            html(text, |id| id == "NAM-001"),
            "A <code>a&lt;b</code> of <a href=\"#NAM-001\">Names</a> and x MUST be <strong>one</strong> <em>or</em> two \
             &amp; &quot;three&quot;."
        );
        assert_eq!(plain(text), "A a<b of Names and x MUST be one or two & \"three\".");
    }
}
