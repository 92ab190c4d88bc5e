//! Blackening: secrets that slipped into a text are overwritten, byte by byte, before somebody else reads it.
//!
//! Each byte of a secret becomes `*`, and a line end stays one. So lengths stay as they are, and what is read by them (the
//! Journal Export Format has fields with a length before the value) is read as before. What is a secret: the value after a
//! telling name (`token=`, `"password":`, also in JSON that stands as a string in JSON), the rest of a header that
//! authorises, a private key in PEM, `password` of `user:password@` and every value of the query in a URL, what a webhook's URL and
//! that of a messenger has for a path, the value of a program's flag (`--token X`, `-u ada:X`), a word that begins as the tokens of
//! some services do, every argon2 hash, and whatever the caller knows to be one. In doubt too much is blackened.

/// Names that end so are those of secrets; `-` and `_` are the same, and so are small and capital letters.
const NAMES: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "psk",
    "apikey",
    "api_key",
    "access_key",
    "private_key",
    "credential",
    "session",
    "claim",
    AUTHORIZATION,
];

/// A header whose value is a scheme, then the secret.
const AUTHORIZATION: &str = "authorization";

/// A header whose whole value is secret, blanks and all.
const COOKIE: &str = "cookie";

/// Schemes of [`AUTHORIZATION`] that are followed by one word.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "apikey", "negotiate", "ntlm"];

/// Words after which a secret follows behind a blank.
const BEFORE: [&str; 2] = ["bearer", "claim code"];

/// Flags before a user and a password, as `curl -u ada:X` has them.
const USER_FLAGS: [&str; 4] = [" -u", " -U", "--user", "--proxy-user"];

/// Schemes of messengers whose URLs are secret from their host on: `discord://ID/TOKEN`, `gotify://host/TOKEN`.
const MESSENGERS: [&str; 17] = [
    "bark",
    "discord",
    "gotify",
    "gotifys",
    "ifttt",
    "join",
    "msteams",
    "ntfy",
    "ntfys",
    "pagerduty",
    "pbul",
    "pover",
    "pushover",
    "slack",
    "teams",
    "telegram",
    "tgram",
];

/// What of a URL's host or path tells that the rest of its path is a secret: `hooks.slack.com`, `/api/webhooks/`, `/webhookb2/`.
const HOOKS: [&[u8]; 3] = [b"hooks.", b"webhook", b"api.telegram.org"];

/// How the tokens of GitHub, GitLab, Slack and ntfy begin.
const BEGINNINGS: [&str; 14] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "tk_",
];

/// Shortest token behind such a beginning, in bytes: shorter words are names.
const TOKEN_MIN: usize = 16;

/// Values of a secret's name that tell none.
const PLAIN: [&str; 4] = ["null", "true", "false", "None"];

/// Bytes before a separator among which a name is looked for.
const NAME_WITHIN: usize = 64;

/// Longest private key in PEM, in bytes: its end is looked for so far.
const PEM_WITHIN: usize = 64 << 10;

/// How the last line of one begins.
const LAST: &[u8] = b"-----END ";

/// Shorter values are no secrets worth hiding wherever they stand: `80`, `info`. In bytes.
const KNOWN_MIN: usize = 5;

/// The text, as long as before, with its secrets blackened; `known` are some that are hidden wherever they stand.
#[must_use]
pub fn blacken<S: AsRef<str>>(text: &[u8], known: &[S]) -> Vec<u8> {
    let mut out = text.to_vec();
    values(text, &mut out);
    urls(text, &mut out);
    tokens(text, &mut out);
    hashes(text, &mut out);
    keys(text, &mut out);
    for secret in known.iter().map(AsRef::as_ref) {
        let quoted = serde_json::to_string(secret).unwrap_or_default();
        let escaped = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        for form in [secret, escaped] {
            wherever(text, form.as_bytes(), &mut out);
        }
    }
    out
}

/// Whether a value of this name is a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    telling(name.as_bytes()).is_some()
}

fn hide(out: &mut [u8], from: usize, to: usize) {
    for byte in out.get_mut(from..to).into_iter().flatten().filter(|b| **b != b'\n') {
        *byte = b'*';
    }
}

fn wherever(text: &[u8], secret: &[u8], out: &mut [u8]) {
    if secret.len() < KNOWN_MIN {
        return;
    }
    let mut at = 0;
    while let Some(found) = find(&text[at..], secret) {
        hide(out, at + found, at + found + secret.len());
        at += found + secret.len();
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

/// Whether `text` ends with `word`, where `-` is `_` and letters are small or capital.
fn ends_with(text: &[u8], word: &str) -> bool {
    let same = |a: &u8, b: &u8| a.eq_ignore_ascii_case(b) || (*a == b'-' && *b == b'_');
    text.len()
        .checked_sub(word.len())
        .is_some_and(|at| text[at..].iter().zip(word.as_bytes()).all(|(a, b)| same(a, b)))
}

/// Which of the names of secrets this one ends with.
fn telling(name: &[u8]) -> Option<&'static str> {
    let header = ends_with(name, COOKIE).then_some(COOKIE);
    header.or_else(|| NAMES.into_iter().find(|n| ends_with(name, n)))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where a line, and so every value in it, ends.
fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

fn trimmed(mut text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    while let [rest @ .., last] = text
        && drop(*last)
    {
        text = rest;
    }
    text
}

/// How many bytes at the beginning satisfy that.
fn run(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|b| !is(*b)).unwrap_or(text.len())
}

/// Values behind telling names and words.
fn values(text: &[u8], out: &mut [u8]) {
    let mut at = 0;
    let mut strings = Strings::default();
    while at < text.len() {
        strings.reach(text, at);
        let before = &text[at.saturating_sub(NAME_WITHIN)..at];
        let end = match text[at] {
            // `wire::secret` is a place in a program.
            b':' if text.get(at + 1) == Some(&b':') => None,
            b' ' | b'=' if USER_FLAGS.iter().any(|f| before.ends_with(f.as_bytes())) => Some(user(text, at + 1, out)),
            b'=' | b':' => {
                name_before(before).map(|(name, quoted)| value(text, at + 1, name, quoted, strings.depth(), out))
            }
            b' ' if BEFORE.iter().any(|w| ends_with(before, w)) => Some(word(text, at + 1, false, out)),
            b' ' => flag_before(before).map(|name| value(text, at + 1, name, false, strings.depth(), out)),
            _ => None,
        };
        at = end.unwrap_or(0).max(at + 1);
    }
}

/// Which strings are open at a place of a line: of JSON, of JSON that stands as a string in it, and so on.
#[derive(Default)]
struct Strings {
    at: usize,
    slashes: usize,
    /// A bit for each depth.
    open: u64,
}

impl Strings {
    /// Reads on, up to `to`.
    fn reach(&mut self, text: &[u8], to: usize) {
        for n in self.at..to {
            match text[n] {
                b'\\' => {
                    self.slashes += 1;
                    continue;
                }
                b'"' => {
                    let own = 1_u64 << depth_of(self.slashes);
                    let was_open = self.open & own != 0;
                    // `3.5"` opens no string.
                    let before = text[..n - self.slashes].last();
                    let opens = before.is_none_or(|b| !b.is_ascii_alphanumeric() || matches!(b, b'b' | b'r'));
                    if was_open || opens {
                        self.open = (self.open & (own - 1)) | if was_open { 0 } else { own };
                    }
                }
                b if is_end(b) => self.open = 0,
                _ => {}
            }
            self.slashes = 0;
        }
        self.at = self.at.max(to);
    }

    /// Depth of the innermost one.
    fn depth(&self) -> Option<u32> {
        self.open.checked_ilog2()
    }
}

/// Of how deep a string a quote is that has so many backslashes before it: none, then one, three, seven. Others are of the text.
fn depth_of(slashes: usize) -> u32 {
    slashes.trailing_ones().min(62)
}

/// The name before a separator, if it tells of a secret, and whether it stands in quotes, as in JSON.
fn name_before(before: &[u8]) -> Option<(&'static str, bool)> {
    let name = trimmed(before, is_blank);
    match name.split_last() {
        Some((b'"' | b'\'', inside)) => {
            let name = trimmed(inside, |b| b == b'\\');
            let one = name.strip_suffix(b"s").or_else(|| name.strip_suffix(b"S"));
            Some((telling(name).or_else(|| one.and_then(telling))?, true))
        }
        _ => Some((telling(name)?, false)),
    }
}

/// The flag of a program before a blank, if its name tells of a secret: `--token`.
fn flag_before(before: &[u8]) -> Option<&'static str> {
    let from = before
        .iter()
        .rposition(|b| is_blank(*b) || matches!(b, b'"' | b'\'' | b'`'));
    let flag = &before[from.map_or(0, |n| n + 1)..];
    flag.starts_with(b"--").then(|| telling(flag))?
}

/// Hides the password of `user:password` at `at`, in quotes or not; returns where it ends.
fn user(text: &[u8], at: usize, out: &mut [u8]) -> usize {
    let ends = |b| is_end(b) || is_blank(b) || matches!(b, b'"' | b'\'' | b':');
    let begin = at + run(&text[at..], |b| matches!(b, b'"' | b'\'' | b'\\'));
    let quote = text[at..begin].iter().rfind(|b| **b != b'\\');
    let colon = begin + run(&text[begin..], |b| !ends(b));
    match text.get(colon) {
        Some(b':') => until(
            text,
            colon + 1,
            |b| match quote {
                Some(quote) => is_end(b) || b == *quote,
                None => is_end(b) || is_blank(b) || matches!(b, b'"' | b'\''),
            },
            out,
        ),
        _ => colon,
    }
}

/// Hides the value that begins at `at`, behind the separator, and returns where it ends.
fn value(text: &[u8], at: usize, name: &str, in_quotes: bool, string: Option<u32>, out: &mut [u8]) -> usize {
    let at = at + run(&text[at..], |b| is_blank(b) || matches!(b, b'=' | b'>'));
    let at = unwrapped(text, at);
    if text[at..].starts_with(b"[") {
        return list(text, at, out);
    }
    if let Some(end) = quoted(text, at, out) {
        return end;
    }
    if in_quotes && text[at..].starts_with(b"{") {
        // Each of its own values is judged by its name.
        return at;
    }
    if is_plain(text, at) {
        return at;
    }
    match name {
        COOKIE => line(text, at, string, out),
        AUTHORIZATION => {
            let scheme = run(&text[at..], |b| b.is_ascii_alphanumeric());
            let known = SCHEMES
                .iter()
                .any(|s| s.len() == scheme && ends_with(&text[at..at + scheme], s));
            let behind = at + scheme + run(&text[at + scheme..], is_blank);
            match known && behind > at + scheme {
                true => word(text, behind, in_quotes, out),
                false => line(text, at, string, out),
            }
        }
        _ => word(text, at, in_quotes, out),
    }
}

fn is_plain(text: &[u8], at: usize) -> bool {
    let plain = PLAIN.iter().find(|p| text[at..].starts_with(p.as_bytes()));
    plain.is_some_and(|p| !text.get(at + p.len()).is_some_and(u8::is_ascii_alphanumeric))
}

/// Where a value begins behind what programs write around it: `Some(`, `Ok(Token(`, the `b` of `b"abc"`.
fn unwrapped(text: &[u8], at: usize) -> usize {
    let mut inner = at;
    loop {
        let name = run(&text[inner..], |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b':')
        });
        match text.get(inner + name) {
            Some(b'(') if name > 0 => inner += name + 1,
            _ => break,
        }
    }
    let begins = |at: usize| {
        let slashes = run(&text[at..], |b| b == b'\\');
        matches!(text.get(at + slashes), Some(b'"' | b'\''))
    };
    let prefix = run(&text[inner..], |b| matches!(b, b'b' | b'r'));
    if prefix <= 2 && begins(inner + prefix) {
        inner + prefix
    } else if text[inner..].starts_with(b"[") {
        inner
    } else if text[at..].starts_with(b"Some(") {
        at + 5
    } else {
        at
    }
}

/// Hides the elements of the list that begins at `at`; returns where that ends. Only those in quotes are looked for on other
/// lines: what else stands there may be anything.
fn list(text: &[u8], mut at: usize, out: &mut [u8]) -> usize {
    let (mut depth, mut on_its_line) = (0_usize, true);
    while let Some(byte) = text.get(at) {
        match byte {
            b'[' => depth += 1,
            b']' if depth <= 1 => return at,
            b']' => depth -= 1,
            b'\n' | b'\r' => on_its_line = false,
            b',' | b')' => {}
            b if is_blank(*b) => {}
            _ => {
                let element = unwrapped(text, at);
                let end = match quoted(text, element, out) {
                    Some(end) if matches!(text.get(end), Some(b'"' | b'\'')) => end + 1,
                    Some(end) => return end,
                    None if is_plain(text, at) => at + run(&text[at..], |b| b.is_ascii_alphanumeric()),
                    None if on_its_line && *byte != b'{' => word(text, element, true, out),
                    None => return at,
                };
                if end <= at {
                    return at;
                }
                at = end;
                continue;
            }
        }
        at += 1;
    }
    at
}

/// Hides what stands in quotes at `at`; returns where it ends. In JSON that is a string in JSON, and so on, a quote has
/// backslashes before it: one, then three, then seven.
fn quoted(text: &[u8], at: usize, out: &mut [u8]) -> Option<usize> {
    let slashes = run(&text[at..], |b| b == b'\\');
    let from = at + slashes + 1;
    match text.get(at + slashes)? {
        b'\'' => {
            let len = text[from..].iter().position(|b| *b == b'\'' || is_end(*b))?;
            (text[from + len] == b'\'').then(|| {
                hide(out, from, from + len);
                from + len
            })
        }
        b'"' => {
            let depth = (slashes.min(62) + 1).ilog2();
            let mut before = 0;
            for (n, byte) in text[from..].iter().enumerate() {
                // The quote ends this string, or one around it; one of a string within has more before it.
                let own = (0..=depth).find(|d| before % (2usize << d) == (1usize << d) - 1);
                match (byte, own) {
                    (b'"', Some(d)) => {
                        hide(out, from, from + n - ((1usize << d) - 1));
                        return Some(from + n);
                    }
                    (b, _) if is_end(*b) => {
                        hide(out, from, from + n);
                        return Some(from + n);
                    }
                    (b'\\', _) => before += 1,
                    _ => before = 0,
                }
            }
            hide(out, from, text.len());
            Some(text.len())
        }
        _ => None,
    }
}

/// Hides to the end of the line, or of the string of this depth that it stands in; returns where that is. Quotes within are the
/// value's: `Digest username="ada", response="…"`.
fn line(text: &[u8], at: usize, string: Option<u32>, out: &mut [u8]) -> usize {
    let mut slashes = 0;
    for (n, byte) in text[at..].iter().enumerate() {
        let of = depth_of(slashes);
        match byte {
            b'"' if string.is_some_and(|depth| of <= depth) => {
                // Backslashes before the quote are the quote's.
                hide(out, at, at + n - ((1 << of) - 1));
                return at + n;
            }
            b if is_end(*b) => {
                hide(out, at, at + n);
                return at + n;
            }
            b'\\' => slashes += 1,
            _ => slashes = 0,
        }
    }
    hide(out, at, text.len());
    text.len()
}

/// Hides one word, up to a blank, a quote or what separates it from the next; returns where it ends.
fn word(text: &[u8], at: usize, in_json: bool, out: &mut [u8]) -> usize {
    let stops =
        |b| is_end(b) || is_blank(b) || matches!(b, b'"' | b'&' | b';') || (in_json && matches!(b, b',' | b'}' | b']'));
    until(text, at, stops, out)
}

fn until(text: &[u8], at: usize, stops: impl Fn(u8) -> bool, out: &mut [u8]) -> usize {
    let end = at + run(&text[at..], |b| !stops(b));
    // Backslashes before a quote are the quote's.
    let secret = match text.get(end) {
        Some(b'"') => trimmed(&text[at..end], |b| b == b'\\').len(),
        _ => end - at,
    };
    hide(out, at, at + secret);
    end
}

/// Passwords and queries of URLs.
fn urls(text: &[u8], out: &mut [u8]) {
    let outside = |b: u8| b <= b' ' || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\');
    let mut at = 0;
    while at < text.len() {
        let end = at + run(&text[at..], |b| !outside(b));
        if let Some(scheme) = find(&text[at..end], b"://") {
            url(text, at + scheme, end, out);
        }
        at = end + 1;
    }
}

/// One URL, whose `://` is at `at`. It may have others in its path.
fn url(text: &[u8], at: usize, end: usize, out: &mut [u8]) {
    let first = |byte: u8, from: usize, to: usize| text[from..to].iter().position(|b| *b == byte).map(|n| from + n);
    let query = first(b'?', at, end);
    let path_end = query.or_else(|| first(b'#', at, end)).unwrap_or(end);
    let mut from = at;
    while from < path_end {
        let begin = from + 3;
        let next = text.get(begin..path_end).and_then(|rest| find(rest, b"://"));
        let to = next.map_or(path_end, |n| begin + n);
        if begin <= to {
            let scheme = trimmed_to_scheme(&text[..from]);
            if MESSENGERS.iter().any(|m| scheme.eq_ignore_ascii_case(m.as_bytes())) {
                hide(out, begin, to);
            }
            authority(text, begin, to, out);
            hook(text, begin, to, out);
        }
        from = to;
    }
    let mut pair = path_end + 1;
    while pair < end {
        let to = pair + run(&text[pair..end], |b| !matches!(b, b'&' | b';'));
        match (first(b'=', pair, to), query) {
            (Some(equals), _) => hide(out, equals + 1, to),
            (None, Some(_)) => hide(out, pair, to),
            // A place in the page.
            (None, None) => {}
        }
        pair = to + 1;
    }
}

/// `user:password@host:port`, and the path behind it, up to `end`.
fn authority(text: &[u8], begin: usize, end: usize, out: &mut [u8]) {
    let host_end = begin + run(&text[begin..end], |b| b != b'/');
    let last_at = |to: usize| text[begin..to].iter().rposition(|b| *b == b'@').map(|n| begin + n);
    // `[::1]:80` has colons of its own.
    let skip = match text[begin..host_end].first() {
        Some(b'[') => run(&text[begin..host_end], |b| b != b']'),
        _ => 0,
    };
    let colon = text[begin + skip..host_end]
        .iter()
        .position(|b| *b == b':')
        .map(|n| begin + skip + n);
    let is_port = |t: &[u8]| {
        trimmed(t, |b| !b.is_ascii_alphanumeric())
            .iter()
            .all(u8::is_ascii_digit)
    };
    match (last_at(host_end), colon) {
        (Some(at), Some(colon)) if colon < at => hide(out, colon + 1, at),
        // A user alone is a token, as `https://ghp_…@github.com`.
        (Some(at), _) => hide(out, begin, at),
        // No port: a password with `/` in it, or one without a host.
        (None, Some(colon)) if !is_port(&text[colon + 1..host_end]) => {
            hide(out, colon + 1, last_at(end).unwrap_or(host_end));
        }
        (None, _) => {}
    }
}

/// The scheme that a text ends with.
fn trimmed_to_scheme(before: &[u8]) -> &[u8] {
    let from = before.iter().rposition(|b| !b.is_ascii_alphanumeric());
    &before[from.map_or(0, |n| n + 1)..]
}

/// The path of a webhook: whoever knows it may send.
fn hook(text: &[u8], begin: usize, end: usize, out: &mut [u8]) {
    let lower = text[begin..end].to_ascii_lowercase();
    let told = HOOKS.iter().filter_map(|hook| find(&lower, hook)).min();
    let path = told.and_then(|told| find(&lower[told..], b"/").map(|n| begin + told + n + 1));
    if let Some(path) = path {
        hide(out, path, end);
    }
}

/// Words that begin as tokens do.
fn tokens(text: &[u8], out: &mut [u8]) {
    let of_one = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let mut at = 0;
    while at < text.len() {
        let end = at + run(&text[at..], of_one);
        let word = &text[at..end];
        let begins = |b: &&&str| word.starts_with(b.as_bytes()) && word.len() >= b.len() + TOKEN_MIN;
        if let Some(beginning) = BEGINNINGS.iter().find(begins) {
            hide(out, at + beginning.len(), end);
        }
        at = end + 1;
    }
}

/// What argon2 has made of a password.
fn hashes(text: &[u8], out: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = find(&text[at..], b"$argon2") {
        at = word(text, at + found, false, out);
    }
}

/// Private keys in PEM, between their first line and their last one; of one without an end what looks like it.
fn keys(text: &[u8], out: &mut [u8]) {
    let (mut at, mut endless) = (0, 0);
    while let Some(found) = find(&text[at..], b"-----BEGIN ") {
        at += found + 11;
        let label = run(&text[at..], |b| {
            b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' '
        });
        if !text[at..at + label].ends_with(b"PRIVATE KEY") || !text[at + label..].starts_with(b"-----") {
            continue;
        }
        at += label + 5;
        let until = text.len().min(at + PEM_WITHIN);
        // A log may be full of first lines: none looks again where the one before has found no end.
        let from = at.max(endless);
        let of_a_key = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\\' | b'\r' | b'\n');
        let end = match find(&text[from..until], LAST) {
            Some(n) => from + n,
            None => {
                endless = until.saturating_sub(LAST.len() - 1);
                at + run(&text[at..until], of_a_key)
            }
        };
        hide(out, at, end);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn black(text: &str) -> String {
        String::from_utf8(blacken::<&str>(text.as_bytes(), &[])).unwrap()
    }

    /// `want` has one `*` for each hidden byte; `~` stands for seven of them.
    fn check(text: &str, want: &str) {
        assert_eq!(black(text), want.replace('~', "*******"), "{text}");
    }

    #[test]
    fn values_behind_telling_names_are_hidden() {
        check("GET /ws?token=abcdefg&addon_id=1", "GET /ws?token=~&addon_id=1");
        check(r#"{"password":"abc efg","x":1}"#, r#"{"password":"~","x":1}"#);
        check(
            r#"{ "Client-Secret" : "abc\"efg\\" }"#,
            &format!(r#"{{ "Client-Secret" : "{}" }}"#, "*".repeat(10)),
        );
        check(
            r#"{"tokens":["abcdefg", "abcdefg"],"n":[1]}"#,
            r#"{"tokens":["~", "~"],"n":[1]}"#,
        );
        check(
            r#"{"token":null,"has_password":true,"psk":1234567}"#,
            r#"{"token":null,"has_password":true,"psk":~}"#,
        );
        check(
            "Login { password: Some(\"abcdefg\"), n: 1 }",
            "Login { password: Some(\"~\"), n: 1 }",
        );
        check("api_key = 'abc efg' # mine", "api_key = '~' # mine");
        check("claim: 01AB9XY\nnext", "claim: ~\nnext");
        check("the claim code 01AB9XY is shown", "the claim code ~ is shown");
        check("kiln.admin_password=abcdefg quiet", "kiln.admin_password=~ quiet");
        check("hash $argon2id$v=19$m=1$x$y.", &format!("hash {}", "*".repeat(23)));
        for open in [
            "no token here",
            "token=",
            "wire::secret::blacken",
            "\"token\":{\"id\":1}",
            "bypass=1",
            "pass: 3",
        ] {
            check(open, open);
        }
        assert!(is_secret("ADMIN_PASSWORD") && is_secret("x-api-key") && !is_secret("PATH"));
    }

    #[test]
    fn headers_that_authorise_are_hidden() {
        check("Authorization: Bearer abcdefg next", "Authorization: Bearer ~ next");
        check(
            "proxy-authorization: Basic abcdefg\r\nHost: a",
            "proxy-authorization: Basic ~\r\nHost: a",
        );
        check(
            "Authorization: Digest a, b\nx",
            &format!("Authorization: {}\nx", "*".repeat(11)),
        );
        check(
            "Cookie: a=1; b=2\nAccept: x",
            &format!("Cookie: {}\nAccept: x", "*".repeat(8)),
        );
        check(
            r#"{"set-cookie": "a=1; b2", "x": 1}"#,
            &format!(r#"{{"set-cookie": "{}", "x": 1}}"#, "*".repeat(7)),
        );
        check(
            r#"{"message":"Cookie: a=1; b2","x":1}"#,
            r#"{"message":"Cookie: ~","x":1}"#,
        );
        check(
            r#"{"name":"x","value":"Bearer abcdefg"}"#,
            r#"{"name":"x","value":"Bearer ~"}"#,
        );
    }

    #[test]
    fn quotes_in_a_header_end_it_only_in_a_string_of_their_own() {
        let secret = r#"Digest username="ada", realm="x", response="66""#;
        let stars = "*".repeat(secret.len());
        check(
            &format!("3.5\" Authorization: {secret}\nnext"),
            &format!("3.5\" Authorization: {stars}\nnext"),
        );
        check(r#"Cookie: a="b c"; d=2"#, &format!("Cookie: {}", "*".repeat(12)));
        let mut line = serde_json::json!({ "message": format!("Authorization: {secret}"), "x": "y" }).to_string();
        for _ in 0..3 {
            let out = black(&line);
            let mut inner: serde_json::Value = serde_json::from_str(&out).unwrap();
            while let Some(string) = inner.get("in").and_then(|s| s.as_str()) {
                inner = serde_json::from_str(string).unwrap();
            }
            let message = inner["message"].as_str().unwrap();
            assert!(message.trim_end_matches('*').ends_with("Authorization: "), "{out}");
            assert_eq!(inner["x"], "y", "{out}");
            line = serde_json::json!({ "in": line, "z": 1 }).to_string();
        }
    }

    #[test]
    fn what_programs_write_around_a_value_hides_none() {
        check(r#"token=b"abcdefg" x"#, r#"token=b"~" x"#);
        check(r#"{ password: Ok("abcdefg"), n: 1 }"#, r#"{ password: Ok("~"), n: 1 }"#);
        check(r#"token: Some(Token("abcdefg"))"#, r#"token: Some(Token("~"))"#);
        check(r#""m":"token: Token(\"abcdefg\")""#, r#""m":"token: Token(\"~\")""#);
        check(
            r#"token: [Some("abcdefg"), b"abcdefg"] x"#,
            r#"token: [Some("~"), b"~"] x"#,
        );
        check("token=[abcdefg, abcdefg] x", "token=[~, ~] x");
        check("token=['abcdefg', 'abcdefg'] x", "token=['~', '~'] x");
        check(
            "{\"tokens\": [\n  \"abcdefg\",\n  \"abcdefg\"\n], \"n\": [\"x\"]}",
            "{\"tokens\": [\n  \"~\",\n  \"~\"\n], \"n\": [\"x\"]}",
        );
        check(
            r#"{"tokens":[["abcdefg"],[null,"abcdefg"]],"n":["x"]}"#,
            r#"{"tokens":[["~"],[null,"~"]],"n":["x"]}"#,
        );
    }

    #[test]
    fn private_keys_are_hidden_up_to_their_end() {
        check(
            "-----BEGIN EC PRIVATE KEY-----\nabcdefg\nabcdefg\n-----END EC PRIVATE KEY-----\nnext",
            "-----BEGIN EC PRIVATE KEY-----\n~\n~\n-----END EC PRIVATE KEY-----\nnext",
        );
        check(
            r#"{"k":"-----BEGIN PRIVATE KEY-----\nabcde\n-----END PRIVATE KEY-----"}"#,
            r#"{"k":"-----BEGIN PRIVATE KEY-----~**-----END PRIVATE KEY-----"}"#,
        );
        check("-----BEGIN PRIVATE KEY-----\nabcdefg", "-----BEGIN PRIVATE KEY-----\n~");
        for open in [
            "-----BEGIN CERTIFICATE-----\nabcdefg\n-----END CERTIFICATE-----",
            "expected -----BEGIN PRIVATE KEY----- in the file",
        ] {
            check(open, open);
        }
    }

    #[test]
    fn passwords_and_queries_of_urls_are_hidden() {
        check("mailtos://ada:abcdefg@host:25/x", "mailtos://ada:~@host:25/x");
        check("see https://abcdefg@host/x.", "see https://~@host/x.");
        check("redis://:abc/efg@host/0", "redis://:~@host/0");
        check("a://b:abcd@fg@host c", "a://b:~@host c");
        check("tgram://123:abcdefg/chat", "tgram://****~*****");
        check("(https://h/p?key=abcdefg&x=1)", "(https://h/p?key=~&x=**");
        check("https://h/p?abcdefg", "https://h/p?~");
        check("https://h/to/http://u:abcdefg@h/", "https://h/to/http://u:~@h/");
        check("https://h/?n=http://u:p@h&x=abcdefg", "https://h/?n=************&x=~");
        for open in [
            "http://10.0.0.1:80, http://[::1]:8080/.",
            "http://h/#/drives/3",
            "unix:///run/x.sock",
            "a:b@c",
        ] {
            check(open, open);
        }
    }

    #[test]
    fn webhooks_messengers_flags_and_tokens_by_their_look_are_hidden() {
        check(
            "https://hooks.slack.com/services/T0/B0/abcde",
            &format!("https://hooks.slack.com/{}", "*".repeat(20)),
        );
        check(
            "to https://discord.com/api/webhooks/1/abcde now",
            "to https://discord.com/api/webhooks/~ now",
        );
        check(
            "https://x.webhook.office.com/webhookb2/a",
            &format!("https://x.webhook.office.com/{}", "*".repeat(11)),
        );
        check("gotify://h/abcde", "gotify://~");
        check(r#"{"m":"discord://1/abcde"}"#, r#"{"m":"discord://~"}"#);
        check(
            "kiln --token abcdefg --api-key 'abc efg' x",
            "kiln --token ~ --api-key '~' x",
        );
        check(r#"{"m":"kiln --token abcdefg"}"#, r#"{"m":"kiln --token ~"}"#);
        check("curl -u ada:abcdefg http://h", "curl -u ada:~ http://h");
        check("curl --user \"ada:abcdefg\" http://h", "curl --user \"ada:~\" http://h");
        check("curl --user=ada:abcdefg http://h", "curl --user=ada:~ http://h");
        check("curl -u 'ada:abc efg' http://h", "curl -u 'ada:~' http://h");
        check("at ghp_abcdefgabcdefgabcdefg.", "at ghp_~~~.");
        check("(glpat-abcdefg-abcdef-abcdef)", "(glpat-~~~)");
        for open in [
            "unit -u ada x",
            "the token of it",
            "--no token",
            "tk_short",
            "http://h/services/x",
            "--depth 3",
            "a -- b",
        ] {
            check(open, open);
        }
    }

    /// Each looked as far ahead as a key may reach: a second for each MB.
    #[test]
    fn many_first_lines_without_a_last_one_take_no_longer_than_others() {
        let text = b"-----BEGIN PRIVATE KEY-----.\n".repeat(100_000);
        let mut out = text.clone();
        let began = std::time::Instant::now();
        keys(&text, &mut out);
        assert!(began.elapsed().as_secs() < 3, "{:?}", began.elapsed());
        assert_eq!(out, text);
    }

    #[test]
    fn a_last_line_that_the_first_key_is_too_far_from_ends_the_second() {
        let first = "-----BEGIN PRIVATE KEY-----";
        for beyond in 0..12 {
            let filler = ".".repeat(PEM_WITHIN - first.len() - 10 - beyond);
            let text = format!("{first}{}{first}{filler}abc-----END PRIVATE KEY-----", "~".repeat(20));
            let out = black(&text);
            assert!(
                out.ends_with("***-----END PRIVATE KEY-----") && !out.contains("abc"),
                "{beyond}"
            );
        }
    }

    #[test]
    fn json_in_json_stays_json() {
        let mut text =
            serde_json::json!({ "password": "ab\"c\\", "url": "a://u:pw\"@h", "note": "Cookie: x" }).to_string();
        for _ in 0..4 {
            let out = black(&text);
            let mut inner: serde_json::Value = serde_json::from_str(&out).unwrap();
            while let Some(string) = inner.get("in").and_then(|s| s.as_str()) {
                inner = serde_json::from_str(string).unwrap();
            }
            assert!(inner["password"].as_str().unwrap().chars().all(|c| c == '*'), "{out}");
            assert_eq!(inner["note"], "Cookie: *", "{out}");
            assert!(!out.contains("pw"), "{out}");
            text = serde_json::json!({ "in": text, "z": 1 }).to_string();
        }
    }

    #[test]
    fn what_is_known_is_hidden_wherever_it_stands() {
        let known = ["hunter2-\"x\"", "80"];
        let text = br#"port 80 hunter2-"x"hunter2-"x" {"a":"hunter2-\"x\""}"#;
        let out = String::from_utf8(blacken(text, &known)).unwrap();
        assert_eq!(out, r#"port 80 ********************** {"a":"*************"}"#);
    }

    proptest! {
        #[test]
        fn lengths_and_lines_stay_and_the_secret_does_not(before in "[a-z ]{0,20}", secret in "[A-Za-z0-9]{8,40}", after in "[a-z]{0,20}") {
            let text = format!("{before} token={secret} {after}");
            let out = black(&text);
            prop_assert!(!out.contains(&secret));
            prop_assert!(out.starts_with(&before) && out.ends_with(&after) && out.len() == text.len());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"=:\"\\'[@/?& \n".to_vec())], 0..200), at in 0usize..200) {
            let mut text = bytes;
            let at = at.min(text.len());
            text.splice(at..at, *b"://\"token\":");
            let out = blacken(&text, &["known"]);
            prop_assert_eq!(out.len(), text.len());
            for (a, b) in text.iter().zip(&out) {
                prop_assert!(a == b || (*b == b'*' && *a != b'\n'));
            }
        }
    }
}
