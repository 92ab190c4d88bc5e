//! Markdown as the guides use it, to HTML: headings, paragraphs, lists, tables, quotes, rules, code; `code`, **strong**,
//! *emphasis* and links inside. Pure. Every character of the guide is escaped, so nothing in it is taken as HTML, and a
//! link leads to `http`, `https`, a place of the box or of the page, or it is shown as text.

/// The text of the first heading.
pub(super) fn title(text: &str) -> Option<String> {
    text.lines().find_map(|line| Some(heading(line)?.1.to_owned()))
}

/// Text with the characters that mean something to HTML replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    let rest = line.get(level..)?.strip_prefix(' ')?;
    (1..=6)
        .contains(&level)
        .then(|| (level, rest.trim().trim_end_matches('#').trim_end()))
}

/// A place in the page that a heading can be linked by.
fn anchor(text: &str) -> String {
    let plain = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    plain.collect::<String>().to_lowercase().replace(' ', "-")
}

/// An item of a list: its indent in columns, whether it is numbered, its text.
fn item(line: &str) -> Option<(usize, bool, &str)> {
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    if let Some(text) = rest.strip_prefix("- ").or_else(|| rest.strip_prefix("* ")) {
        return Some((indent, false, text));
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let text = rest.get(digits..)?.strip_prefix(". ")?;
    (1..=3).contains(&digits).then_some((indent, true, text))
}

fn is_rule(line: &str) -> bool {
    let bare = line.trim();
    bare.len() >= 3 && (bare.bytes().all(|b| b == b'-') || bare.bytes().all(|b| b == b'*'))
}

fn cells(line: &str) -> Vec<&str> {
    let bare = line.trim();
    let bare = bare.strip_prefix('|').unwrap_or(bare);
    let bare = bare.strip_suffix('|').unwrap_or(bare);
    let (mut cells, mut from, mut code) = (Vec::new(), 0, false);
    let bytes = bare.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'`' => code = !code,
            b'|' if !code && (at == 0 || bytes[at - 1] != b'\\') => {
                cells.push(bare[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    cells.push(bare[from..].trim());
    cells
}

fn is_table_rule(line: &str) -> bool {
    line.contains('-') && line.contains('|') && line.bytes().all(|b| b"-|: ".contains(&b))
}

/// The page's inside; links without a folder lead to guides of `folder`.
pub(super) fn html(text: &str, folder: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    block(&lines, folder, 0, &mut out);
    out
}

/// Quotes within quotes that are followed.
const DEEP: usize = 8;

fn block(lines: &[&str], folder: &str, depth: usize, out: &mut String) {
    let mut at = 0;
    while let Some(line) = lines.get(at).copied() {
        let bare = line.trim();
        if bare.is_empty() {
            at += 1;
        } else if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| bare.starts_with(fence)) {
            let end = lines[at + 1..].iter().position(|line| line.trim().starts_with(fence));
            let end = end.map_or(lines.len(), |n| at + 1 + n);
            code(&lines[at + 1..end], out);
            at = end + 1;
        } else if line.starts_with("    ") {
            let end = lines[at..].iter().position(|line| !line.starts_with("    "));
            let end = end.map_or(lines.len(), |n| at + n);
            let inner: Vec<&str> = lines[at..end].iter().map(|line| &line[4..]).collect();
            code(&inner, out);
            at = end;
        } else if let Some((level, text)) = heading(bare) {
            let name = escaped(&anchor(text));
            out.push_str(&format!(
                "<h{level} id=\"{name}\">{}</h{level}>\n",
                inline(text, folder)
            ));
            at += 1;
        } else if is_rule(line) {
            out.push_str("<hr>\n");
            at += 1;
        } else if bare.starts_with('>') && depth < DEEP {
            let end = lines[at..].iter().position(|line| !line.trim().starts_with('>'));
            let end = end.map_or(lines.len(), |n| at + n);
            let inner: Vec<&str> = lines[at..end]
                .iter()
                .map(|line| line.trim().trim_start_matches('>').trim_start())
                .collect();
            out.push_str("<blockquote>\n");
            block(&inner, folder, depth + 1, out);
            out.push_str("</blockquote>\n");
            at = end;
        } else if line.contains('|') && lines.get(at + 1).is_some_and(|next| is_table_rule(next)) {
            let end = lines[at + 2..].iter().position(|line| !line.contains('|'));
            let end = end.map_or(lines.len(), |n| at + 2 + n);
            table(line, &lines[at + 2..end], folder, out);
            at = end;
        } else if item(line).is_some() {
            at += list(&lines[at..], folder, out);
        } else {
            let ends = |line: &&str| {
                let bare = line.trim();
                bare.is_empty() || heading(bare).is_some() || bare.starts_with("```") || item(line).is_some()
            };
            let end = lines[at + 1..]
                .iter()
                .position(ends)
                .map_or(lines.len(), |n| at + 1 + n);
            out.push_str(&format!("<p>{}</p>\n", inline(&lines[at..end].join("\n"), folder)));
            at = end;
        }
    }
}

fn code(lines: &[&str], out: &mut String) {
    out.push_str(&format!(
        "<pre tabindex=\"0\"><code>{}\n</code></pre>\n",
        escaped(&lines.join("\n"))
    ));
}

fn table(head: &str, rows: &[&str], folder: &str, out: &mut String) {
    let row = |line: &str, cell: &str| {
        let cells = cells(line).into_iter();
        let cells = cells.map(|text| format!("<{cell}>{}</{cell}>", inline(&text.replace("\\|", "|"), folder)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    out.push_str(&format!(
        "<div class=\"wide\" tabindex=\"0\">\n<table>\n<thead>\n{}</thead>\n<tbody>\n",
        row(head, "th")
    ));
    for line in rows {
        out.push_str(&row(line, "td"));
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

/// Writes the list that begins here; how many lines it has.
fn list(lines: &[&str], folder: &str, out: &mut String) -> usize {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let (mut at, mut text) = (0, String::new());
    let write = |text: &mut String, out: &mut String| {
        if !text.is_empty() {
            out.push_str(&inline(text, folder));
            text.clear();
        }
    };
    while let Some(line) = lines.get(at).copied() {
        match item(line) {
            Some((indent, numbered, words)) => {
                write(&mut text, out);
                while open.len() > 1 && open.last().is_some_and(|(inner, _)| *inner > indent) {
                    let tag = open.pop().map_or("ul", |(_, tag)| tag);
                    out.push_str(&format!("</li>\n</{tag}>\n"));
                }
                match open.last() {
                    Some((outer, _)) if indent <= *outer => out.push_str("</li>\n<li>"),
                    _ => {
                        let tag = if numbered { "ol" } else { "ul" };
                        open.push((indent, tag));
                        out.push_str(&format!("<{tag}>\n<li>"));
                    }
                }
                words.clone_into(&mut text);
            }
            None if line.trim().is_empty() => {
                let goes_on = lines
                    .get(at + 1)
                    .is_some_and(|next| item(next).is_some() || next.starts_with("  "));
                if !goes_on {
                    break;
                }
            }
            None if line.starts_with("  ") || !text.is_empty() => {
                text.push('\n');
                text.push_str(line.trim());
            }
            None => break,
        }
        at += 1;
    }
    write(&mut text, out);
    while let Some((_, tag)) = open.pop() {
        out.push_str(&format!("</li>\n</{tag}>\n"));
    }
    at.max(1)
}

/// Where a link leads, if it may.
fn target(link: &str, folder: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with('#') {
        return Some(link.to_owned());
    }
    if link.starts_with('/') {
        return (!link.starts_with("//")).then(|| link.to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./#".contains(c);
    if link.is_empty() || !link.chars().all(plain) {
        return None;
    }
    let (path, place) = link.split_once('#').map_or((link, ""), |(path, place)| (path, place));
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let path = path.strip_suffix(".md").unwrap_or(&path);
    let place = if place.is_empty() {
        String::new()
    } else {
        format!("#{place}")
    };
    Some(format!("/docs/{path}{place}"))
}

fn inline(text: &str, folder: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let paired = |mark: &str| {
            let inner = rest.strip_prefix(mark)?;
            let end = inner.find(mark).filter(|end| *end > 0)?;
            Some((&inner[..end], &inner[end + mark.len()..]))
        };
        if c == '\\' && after.starts_with(|c: char| c.is_ascii_punctuation()) {
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&escaped(&after[..next]));
            rest = &after[next..];
        } else if let Some((inner, next)) = (c == '`').then(|| paired("`")).flatten() {
            out.push_str(&format!("<code>{}</code>", escaped(inner)));
            rest = next;
        } else if let Some((inner, next)) = (c == '*').then(|| paired("**")).flatten() {
            out.push_str(&format!("<strong>{}</strong>", inline(inner, folder)));
            rest = next;
        } else if let Some((inner, next)) = (c == '*' && !after.starts_with([' ', '*']))
            .then(|| paired("*"))
            .flatten()
        {
            out.push_str(&format!("<em>{}</em>", inline(inner, folder)));
            rest = next;
        } else if let Some((words, link, next)) = (c == '[').then(|| link(rest)).flatten()
            && let Some(to) = target(link, folder)
        {
            out.push_str(&format!("<a href=\"{}\">{}</a>", escaped(&to), inline(words, folder)));
            rest = next;
        } else {
            out.push_str(&escaped(&rest[..c.len_utf8()]));
            rest = after;
        }
    }
    out
}

/// `[words](link)` at the beginning: its parts and what follows.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (link, rest) = rest.split_once(')')?;
    (!words.contains(['[', ']', '\n']) && !link.contains(char::is_whitespace)).then_some((words, link, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_guides_use_becomes_html() {
        for (text, want) in [
            ("# A `b` & c", "<h1 id=\"a-b--c\">A <code>b</code> &amp; c</h1>\n"),
            ("one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>\n"),
            ("**a** *b* 2 * 3", "<p><strong>a</strong> <em>b</em> 2 * 3</p>\n"),
            (
                "- a\n  b\n- c\n  1. d",
                "<ul>\n<li>a\nb</li>\n<li>c<ol>\n<li>d</li>\n</ol>\n</li>\n</ul>\n",
            ),
            (
                "```sh\na <b>\n```\nc",
                "<pre tabindex=\"0\"><code>a &lt;b&gt;\n</code></pre>\n<p>c</p>\n",
            ),
            ("    a\n    b", "<pre tabindex=\"0\"><code>a\nb\n</code></pre>\n"),
            (
                "| a | `b|c` |\n|---|---|\n| 1 \\| 2 | 3 |",
                "<div class=\"wide\" tabindex=\"0\">\n<table>\n<thead>\n<tr><th>a</th><th><code>b|c</code></th></tr>\n</thead>\n<tbody>\n<tr><td>1 | 2</td><td>3</td></tr>\n</tbody>\n</table>\n</div>\n",
            ),
            ("> a\n> b", "<blockquote>\n<p>a\nb</p>\n</blockquote>\n"),
            ("---", "<hr>\n"),
            ("[a](b.md#c)", "<p><a href=\"/docs/x/b#c\">a</a></p>\n"),
            ("[a](../b.md)", "<p><a href=\"/docs/b\">a</a></p>\n"),
            ("[a](https://e.org/)", "<p><a href=\"https://e.org/\">a</a></p>\n"),
            ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
            ("[a](//evil)", "<p>[a](//evil)</p>\n"),
            ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ] {
            assert_eq!(html(text, "x"), want, "{text}");
        }
        assert_eq!(title("text\n\n## A b ##\n"), Some("A b".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_tag_or_breaks_out_of_one(text in "([a-z`*#>|\\[\\]()<\"'&. :/-]|\n|    |javascript:|\\]\\(){0,60}") {
            let made = html(&text, "");
            for tag in made.split('<').skip(1) {
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                let known = ["h1", "h2", "h3", "h4", "h5", "h6", "p", "strong", "em", "code", "pre", "ul", "ol", "li", "table",
                    "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "a", "div"];
                prop_assert!(known.contains(&name.as_str()), "{made}");
                prop_assert!(!tag.contains("href=\"javascript"), "{made}");
            }
            let open = |name: &str| made.matches(&format!("<{name}>")).count() + made.matches(&format!("<{name} ")).count();
            for name in ["p", "ul", "ol", "li", "table", "td", "a", "code", "blockquote", "div"] {
                prop_assert_eq!(open(name), made.matches(&format!("</{name}>")).count(), "{}", made);
            }
        }
    }
}
