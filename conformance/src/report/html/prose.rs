//! The Markdown of a clause as HTML: code, links to clauses, emphasis. Everything else is text.

/// A part of a clause.
enum Piece<'a> {
    Text(&'a str),
    Code(&'a str),
    /// The words of a link, and where it leads.
    Link(&'a str, &'a str),
}

/// The clause as HTML; a link to a clause that has a row (`is_row`) leads there, any other is its words alone.
pub(super) fn html(text: &str, is_row: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut open = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => emphasised(&mut out, text, &mut open),
            Piece::Code(code) => {
                out.push_str("<code>");
                push(&mut out, code);
                out.push_str("</code>");
            }
            Piece::Link(words, target) => match target.rsplit_once('#') {
                Some((_, id)) if is_row(id) => {
                    out.push_str("<a href=\"#");
                    push(&mut out, id);
                    out.push_str("\">");
                    push(&mut out, &plain(words));
                    out.push_str("</a>");
                }
                _ => push(&mut out, &plain(words)),
            },
        }
    }
    open.iter().rev().for_each(|element| out.push_str(&format!("</{element}>")));
    out
}

/// The clause as text, without its marks.
pub(super) fn plain(text: &str) -> String {
    let plain = |piece| match piece {
        Piece::Text(text) => text.replace('*', ""),
        Piece::Code(code) => code.to_owned(),
        Piece::Link(words, _) => plain(words),
    };
    pieces(text).into_iter().map(plain).collect()
}

/// The parts of a clause, from the left: in code, nothing else has a meaning.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[']) {
        let (before, marked) = rest.split_at(at);
        let found = if marked.starts_with('`') {
            code(marked).map(|(code, after)| (Piece::Code(code), after))
        } else {
            link(marked).map(|(words, target, after)| (Piece::Link(words, target), after))
        };
        // A mark that opens nothing is text.
        let (piece, after) = found.unwrap_or_else(|| {
            let (mark, after) = marked.split_at(1);
            (Piece::Text(mark), after)
        });
        pieces.extend([Piece::Text(before), piece]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// What is between two backticks, and the rest.
fn code(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('`')?.split_once('`')
}

/// The words of a link, its target, and the rest.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (words, tail) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = tail.split_once(')')?;
    Some((words, target, after))
}

/// Text in which `*` and `**` open elements, or close the innermost; what is open stays so for the next piece.
fn emphasised(out: &mut String, text: &str, open: &mut Vec<&'static str>) {
    let mut rest = text;
    while let Some(at) = rest.find('*') {
        let (before, marked) = rest.split_at(at);
        push(out, before);
        let (element, after) = match marked.strip_prefix("**") {
            Some(after) => ("strong", after),
            None => ("em", marked.strip_prefix('*').unwrap_or_default()),
        };
        if open.last() == Some(&element) {
            open.pop();
            out.push_str(&format!("</{element}>"));
        } else {
            open.push(element);
            out.push_str(&format!("<{element}>"));
        }
        rest = after;
    }
    push(out, rest);
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
        assert_eq!(html("(a, *`+b` C* and **d", |_| true), "(a, <em><code>+b</code> C</em> and <strong>d</strong>");
        let code = "It matches `[a-z]([a-z-]*[a-z])?` [of `x`](y.md#ABC-001), [] and `.";
        assert_eq!(plain(code), "It matches [a-z]([a-z-]*[a-z])? of x, [] and `.");
        assert_eq!(
            html(code, |_| true),
            "It matches <code>[a-z]([a-z-]*[a-z])?</code> <a href=\"#ABC-001\">of x</a>, [] and `."
        );
    }
}
