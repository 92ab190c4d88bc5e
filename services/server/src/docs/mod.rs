//! The guides of `rootfs/docs`, in the binary: they are there without a network and before anybody has claimed the box.
//!
//! A guide is Markdown; [`markdown`] makes pages of it in which nothing of the guide is taken as HTML.

mod markdown;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../rootfs/docs"]
struct Guides;

/// How the pages look; the content policy allows no style inside them.
pub const STYLE: &str = include_str!("style.css");

/// The text of a guide, by its name without `.md`: `security`, `plugins/example`.
fn text(name: &str) -> Option<String> {
    let file = Guides::get(&format!("{name}.md"))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// The page of a guide.
pub fn page(name: &str) -> Option<String> {
    let text = text(name)?;
    let title = markdown::title(&text).unwrap_or_else(|| name.to_owned());
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(frame(&title, &markdown::html(&text, folder)))
}

/// The page that lists all guides.
pub fn index() -> String {
    let mut names: Vec<String> = Guides::iter()
        .filter_map(|file| file.strip_suffix(".md").map(str::to_owned))
        .collect();
    // Guides of one folder stand together, after those of none.
    names.sort_by_key(|name| (name.contains('/'), name.clone()));
    let items = names.iter().map(|name| {
        let title = text(name).and_then(|text| markdown::title(&text));
        let title = title.unwrap_or_else(|| name.clone());
        format!(
            "<li><a href=\"/docs/{}\">{}</a></li>\n",
            markdown::escaped(name),
            markdown::escaped(&title)
        )
    });
    frame(
        "Guides",
        &format!("<h1>Guides</h1>\n<ul>\n{}</ul>\n", items.collect::<String>()),
    )
}

/// The page that is shown for a guide that there is none of.
pub fn unknown(name: &str) -> String {
    let body = format!(
        "<h1>There is no such guide</h1>\n<p>None is called <code>{}</code>. <a href=\"/docs\">All guides</a></p>\n",
        markdown::escaped(name)
    );
    frame("No such guide", &body)
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<title>{} · Kiln</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n<nav><a \
         href=\"/\">Kiln</a> <a href=\"/docs\">Guides</a></nav>\n<main>\n{body}</main>\n</body>\n</html>\n",
        markdown::escaped(title)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_guide_has_a_page_and_is_listed() {
        let index = index();
        let mut seen = 0;
        for file in Guides::iter().filter(|file| file.ends_with(".md")) {
            let name = file.strip_suffix(".md").unwrap();
            assert!(index.contains(&format!("href=\"/docs/{name}\"")), "{name}");
            assert!(page(name).unwrap().contains("<h1"), "{name} has a title");
            seen += 1;
        }
        assert!(seen > 0);
        for none in ["", "nothing", "../README", "security.md", "/etc/passwd"] {
            assert_eq!(page(none), None, "{none}");
        }
        assert!(unknown("<b>").contains("<code>&lt;b&gt;</code>"));
    }
}
