//! The parts of a manifest: every name that is known, what it must be, what it means.
//!
//! Sources: Vigil's developer guide (manifest, component types, limits), and what existing servers and add-ons use
//! besides. Names that are not here are tolerated and reach the page as they came.

mod card;
mod form;
mod table;
mod view;

use serde_json::Value;

use super::flaw::Flaws;
use super::rules;
use super::shape::{FILLED, Form, Key, Record, Shape, TEXT, may, must};
use super::{COMPONENTS_MAX, NAME_MAX, PAGES_MAX};
use card::{CONFIG_CARD, DEPLOY_WIZARD, DISCOVERY_CARD, DISK_STORAGE};
use form::FORM;
use table::SMART_TABLE;
use view::{CHART, LOG_VIEWER, PROGRESS};

/// Types of component, with what their `config` holds.
pub(super) const COMPONENT_TYPES: [(&str, &Record); 9] = [
    ("form", &FORM),
    ("progress", &PROGRESS),
    ("chart", &CHART),
    ("smart-table", &SMART_TABLE),
    ("log-viewer", &LOG_VIEWER),
    ("deploy-wizard", &DEPLOY_WIZARD),
    ("config-card", &CONFIG_CARD),
    ("disk-storage", &DISK_STORAGE),
    ("discovery-card", &DISCOVERY_CARD),
];

const TYPE_NAMES: &[&str] = &{
    let mut names = [""; COMPONENT_TYPES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = COMPONENT_TYPES[at].0;
        at += 1;
    }
    names
};

/// An action as an add-on's API names it. Source: existing servers.
static ACTION_NAME: Form = Form {
    regex: "^[A-Za-z0-9_-]+$",
    fits: |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    },
    expected: "an action's name: letters, digits, _ and -",
};

/// A source: a name, or a path of the add-on's API.
static SOURCE: Form = Form {
    regex: "^(?:[^/].*|/api/(?!.*\\.\\.).*)$",
    fits: |text| {
        let one_line = !text.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        one_line && !text.is_empty() && (!text.starts_with('/') || is_api_path(text))
    },
    expected: "a source's name, or a path that begins with /api/ and has no ..",
};

/// The add-on's name: people look for it in a list, so something of it must be seen.
static NAME: Form = Form {
    regex: "^(?=[^\\u0000-\\u001f\\u007f-\\u009f]{1,128}(?![\\s\\S]))[\\s\\S]*[^\\t\\n\\u000b\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]",
    fits: |text| text.chars().count() <= NAME_MAX && !text.trim().is_empty() && !text.contains(char::is_control),
    expected: "a text of 1 to 128 characters, not only blanks, without control characters",
};

/// A path of the add-on's API.
static API_PATH: Form = Form {
    regex: "^/api/(?!.*\\.\\.)[^\\s]*$",
    fits: |text| is_api_path(text) && !text.contains(char::is_whitespace),
    expected: "a path that begins with /api/ and has no .. and no spaces",
};

/// An address that a browser may open.
static URL: Form = Form {
    regex: "^(?:https?://[^\\s]+|/(?!/)[^\\s]*)$",
    fits: |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = !text.contains(char::is_whitespace);
        plain && (rest.is_some_and(|rest| !rest.is_empty()) || (text.starts_with('/') && !text.starts_with("//")))
    },
    expected: "an address that begins with https://, http:// or /",
};

/// How far back. Source: existing add-ons.
static TIME_RANGE: Form = Form {
    regex: "^[0-9]+[mhd]$",
    fits: |text| {
        let digits = text.strip_suffix(['m', 'h', 'd']).unwrap_or("");
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    },
    expected: "a number and one of m, h, d: 15m, 6h, 7d",
};

fn is_api_path(text: &str) -> bool {
    text.starts_with("/api/") && !text.contains("..")
}

/// Any object.
const OBJECT: Shape = Shape::Map {
    of: &Shape::Any,
    min: 0,
};

/// A `visible_when`.
const CONDITION: Shape = Shape::Either(&[
    Shape::Text {
        min: 1,
        max: crate::expression::LENGTH_MAX,
    },
    OBJECT,
]);

/// A list of any length.
const fn list(of: &'static Shape) -> Shape {
    Shape::List {
        of,
        min: 0,
        max: usize::MAX,
    }
}

const SOURCED: Key = may(
    "source",
    Shape::Form(&SOURCE),
    "where its data comes from: a name, or a path of the add-on's API",
);

/// Adds the flaws of each component's `config`, which goes by the component's type.
pub(super) fn configs(manifest: &Value, flaws: &mut Flaws) {
    rules::components_of(manifest, flaws, |component, flaws| {
        let kind = component.get("type").and_then(Value::as_str);
        let Some((_, record)) = COMPONENT_TYPES.iter().find(|(name, _)| Some(*name) == kind) else {
            return;
        };
        flaws.inside(".config", |flaws| match component.get("config") {
            Some(Value::Object(config)) => record.check(config, flaws),
            None | Some(Value::Null) if !record.any_of.is_empty() => {
                flaws.add(
                    "it is missing",
                    &format!("an object with {}", record.any_of.join(" or ")),
                );
            }
            _ => {}
        });
    });
}

/// The whole manifest.
pub(super) static MANIFEST: Record = Record {
    name: "Manifest",
    about: "An add-on's pages: what its dashboard shows and asks.",
    keys: &[
        must("name", Shape::Form(&NAME), "name of the add-on"),
        must("version", FILLED, "version of the add-on"),
        may("description", TEXT, "what it does, in a sentence").grave(),
        may("author", TEXT, "who made it").grave(),
        may("docker_image", TEXT, "its container image").grave(),
        must(
            "pages",
            Shape::List {
                of: &Shape::Record(&PAGE),
                min: 1,
                max: PAGES_MAX,
            },
            "its pages",
        ),
    ],
    any_of: &[],
};

static PAGE: Record = Record {
    name: "Page",
    about: "One page.",
    keys: &[
        must("id", FILLED, "unique among the pages; part of the page's address"),
        must("title", FILLED, "its title"),
        may("icon", TEXT, "name of an icon").grave(),
        may(
            "components",
            Shape::List {
                of: &Shape::Record(&COMPONENT),
                min: 0,
                max: COMPONENTS_MAX,
            },
            "what stands on it, from top to bottom",
        )
        .grave(),
        may("page_config", Shape::Record(&PAGE_CONFIG), "how the whole page behaves"),
    ],
    any_of: &[],
};

static PAGE_CONFIG: Record = Record {
    name: "PageConfig",
    about: "How a page behaves.",
    keys: &[
        may("refresh", Shape::Record(&REFRESH), "asking sources anew"),
        may(
            "agent_selector",
            Shape::Either(&[Shape::Flag, OBJECT]),
            "whether the page is about one of the add-on's agents, chosen above it; {source} names who tells them, addon_agents where it is absent",
        ),
    ],
    any_of: &[],
};

static REFRESH: Record = Record {
    name: "Refresh",
    about: "How a page's sources are asked anew.",
    keys: &[
        may("manual", Shape::Flag, "a button"),
        may(
            "auto_options",
            list(&Shape::Record(&REFRESH_OPTION)),
            "intervals to choose from",
        ),
    ],
    any_of: &[],
};

static REFRESH_OPTION: Record = Record {
    name: "RefreshOption",
    about: "An interval.",
    keys: &[
        must(
            "value",
            Shape::Number {
                min: 0.0,
                max: f64::INFINITY,
                whole: false,
            },
            "seconds; 0 is never",
        ),
        may("label", TEXT, "in words"),
    ],
    any_of: &[],
};

/// What all components have; their `config` goes by their type.
pub(super) static COMPONENT: Record = Record {
    name: "Component",
    about: "One thing on a page.",
    keys: &[
        must("type", Shape::Word(TYPE_NAMES), "what it is"),
        must(
            "id",
            FILLED,
            "unique in the whole manifest; frames name it as component_id",
        ),
        may("title", TEXT, "its title").grave(),
        SOURCED,
        may("config", OBJECT, "by its type, see below"),
    ],
    any_of: &[],
};

const SAFETY: &[&str] = &["read", "write", "destructive"];

static TIME_FILTER: Record = Record {
    name: "TimeFilter",
    about: "How far back, to choose from.",
    keys: &[
        may("default", TEXT, "the choice at first"),
        may("options", list(&Shape::Record(&TIME_OPTION)), "the choices"),
    ],
    any_of: &[],
};

static TIME_OPTION: Record = Record {
    name: "TimeOption",
    about: "A stretch of time.",
    keys: &[
        must("value", TEXT, "15m, 6h, 7d; empty for all"),
        may("label", TEXT, "in words"),
    ],
    any_of: &[],
};
