//! The parts of a manifest: every name that is known, what it must be, what it means.
//!
//! Sources: Vigil's developer guide (manifest, component types, limits), and what existing servers and add-ons use
//! besides. Names that are not here are tolerated and reach the page as they came.

use serde_json::Value;

use super::flaw::Flaws;
use super::rules;
use super::shape::{COUNT, FILLED, Form, Key, NUMBER, Record, Shape, TEXT, TEXTS, may, must};
use super::{COMPONENTS_MAX, FIELDS_MAX, NAME_MAX, PAGES_MAX};

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

const FIELD_TYPES: &[&str] = &["text", "number", "select", "checkbox", "toggle", "hidden", "range"];

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

/// A path of the add-on's API.
static API_PATH: Form = Form {
    regex: "^/api/(?!.*\\.\\.)[^\\s]*$",
    fits: |text| is_api_path(text) && !text.contains(char::is_whitespace),
    expected: "a path that begins with /api/ and has no .. and no spaces",
};

/// A path.
static PATH: Form = Form {
    regex: "^/(?!/)(?!.*\\.\\.)[^\\s]*$",
    fits: |text| {
        text.starts_with('/') && !text.starts_with("//") && !text.contains("..") && !text.contains(char::is_whitespace)
    },
    expected: "a path that begins with / and has no .. and no spaces",
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
        must("name", Shape::Text { min: 1, max: NAME_MAX }, "name of the add-on"),
        must("version", FILLED, "version of the add-on"),
        may("description", TEXT, "what it does, in a sentence"),
        may("author", TEXT, "who made it"),
        may("docker_image", TEXT, "its container image"),
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
        may("icon", TEXT, "name of an icon"),
        may(
            "components",
            Shape::List {
                of: &Shape::Record(&COMPONENT),
                min: 0,
                max: COMPONENTS_MAX,
            },
            "what stands on it, from top to bottom",
        ),
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
            "whether the page is about one of the add-on's agents, chosen above it",
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
        may("title", TEXT, "its title"),
        SOURCED,
        may("config", OBJECT, "by its type, see below"),
    ],
    any_of: &[],
};

static FORM: Record = Record {
    name: "FormConfig",
    about: "`form`: asks for values and sends them with an action.",
    keys: &[
        may(
            "fields",
            Shape::List {
                of: &Shape::Record(&FIELD),
                min: 0,
                max: FIELDS_MAX,
            },
            "what is asked",
        ),
        may(
            "action",
            Shape::Form(&ACTION_NAME),
            "what is asked of the add-on; `config` fills the form from /api/config",
        ),
        may("submit_label", TEXT, "on the button"),
        may("reset_label", TEXT, "on the button that empties it"),
        may("layout", TEXT, "`inline` for fields side by side"),
        may(
            "safety",
            Shape::Word(SAFETY),
            "how much the action can do; without it `write`, with a gated field `destructive`",
        ),
        may("destructive", Shape::Flag, "the same as safety `destructive`"),
    ],
    any_of: &[],
};

const SAFETY: &[&str] = &["read", "write", "destructive"];

static FIELD: Record = Record {
    name: "Field",
    about: "One field of a form.",
    keys: &[
        must("name", FILLED, "under which its value is sent"),
        may("label", TEXT, "beside it"),
        may("type", Shape::Word(FIELD_TYPES), "text where it is absent"),
        may("required", Shape::Flag, "the form cannot be sent without it"),
        may(
            "options",
            list(&Shape::Record(&FIELD_OPTION)),
            "of a select; the value `__custom__` opens a text box",
        ),
        SOURCED,
        may("placeholder", TEXT, "shown while it is empty"),
        may("custom_placeholder", TEXT, "shown in the text box of `__custom__`"),
        may("default", Shape::Any, "its value at first"),
        may("min", NUMBER, "of a number or range"),
        may("max", NUMBER, "of a number or range, not less than min"),
        may(
            "step",
            Shape::Either(&[NUMBER, Shape::Word(&["any"])]),
            "of a number or range",
        ),
        may("unit", TEXT, "behind it"),
        may("hint", TEXT, "below it"),
        may(
            "depends_on",
            FILLED,
            "another field; this one is open once that has a value, and a source is asked with it",
        ),
        may("visible_when", CONDITION, "a condition on other fields, see below"),
        may(
            "live_calculation",
            Shape::Text {
                min: 1,
                max: crate::expression::LENGTH_MAX,
            },
            "a formula over other fields, whose result it shows",
        ),
        may(
            "security_gate",
            Shape::Flag,
            "of a checkbox or toggle: it must be true, and the password given, before the action is done",
        ),
    ],
    any_of: &[],
};

static FIELD_OPTION: Record = Record {
    name: "FieldOption",
    about: "A choice of a select.",
    keys: &[must("value", TEXT, "what is sent"), may("label", TEXT, "what is shown")],
    any_of: &[],
};

static PROGRESS: Record = Record {
    name: "ProgressConfig",
    about: "`progress`: jobs as they run, from `progress` frames.",
    keys: &[
        SOURCED,
        may("multi", Shape::Flag, "several jobs at once"),
        may("show_phase", Shape::Flag, "the phase"),
        may("show_eta", Shape::Flag, "the time left"),
        may("show_speed", Shape::Flag, "the throughput"),
        may("show_temperature", Shape::Flag, "the temperature"),
        may("cancel", Shape::Record(&CANCEL), "how a job is ended"),
    ],
    any_of: &[],
};

static CANCEL: Record = Record {
    name: "Cancel",
    about: "How a job is ended.",
    keys: &[
        may(
            "enabled",
            Shape::Flag,
            "whether there is a button; true where it is absent",
        ),
        may(
            "endpoint",
            Shape::Form(&API_PATH),
            "where it is asked; {job_id} stands for the job",
        ),
        may(
            "method",
            Shape::Word(&["POST", "PUT", "PATCH", "DELETE"]),
            "how; DELETE where it is absent",
        ),
        may(
            "action",
            Shape::Form(&ACTION_NAME),
            "in place of an endpoint: an action with the job_id",
        ),
        may("confirm_message", TEXT, "what is asked before"),
    ],
    any_of: &[],
};

static CHART: Record = Record {
    name: "ChartConfig",
    about: "`chart`: lines over time, from `chart` frames; or data of its own in the form of Chart.js.",
    keys: &[
        SOURCED,
        may("datasets", list(&Shape::Record(&DATASET)), "its lines"),
        may("maxPoints", COUNT, "most points of a line"),
        may("height", COUNT, "in pixels"),
        may("yAxes", Shape::Record(&AXES), "its axes"),
        may("time_range", Shape::Form(&TIME_RANGE), "how far back"),
        may("type", TEXT, "of Chart.js: line, bar"),
        may("data", Shape::Record(&CHART_DATA), "of Chart.js"),
        may("options", OBJECT, "of Chart.js"),
    ],
    any_of: &[],
};

static CHART_DATA: Record = Record {
    name: "ChartData",
    about: "Data in the form of Chart.js.",
    keys: &[
        may("labels", list(&Shape::Any), "along the x axis"),
        may("datasets", list(&Shape::Record(&DATASET)), "its lines"),
    ],
    any_of: &[],
};

static DATASET: Record = Record {
    name: "Dataset",
    about: "A line of a chart.",
    keys: &[
        may("key", FILLED, "of the `chart` frames that feed it"),
        may("label", TEXT, "in the legend"),
        may("color", TEXT, "a CSS colour"),
        may("yAxis", Shape::Word(&["left", "right"]), "left where it is absent"),
        may("fill", Shape::Either(&[Shape::Flag, TEXT, NUMBER]), "down to the axis"),
        may("data", list(&Shape::Any), "numbers, or {x, y}, in the form of Chart.js"),
    ],
    any_of: &["key", "data"],
};

static AXES: Record = Record {
    name: "Axes",
    about: "The axes of a chart.",
    keys: &[
        may("left", Shape::Record(&AXIS), "the left one"),
        may("right", Shape::Record(&AXIS), "the right one"),
    ],
    any_of: &[],
};

static AXIS: Record = Record {
    name: "Axis",
    about: "An axis.",
    keys: &[
        may("title", TEXT, "beside it"),
        may("unit", TEXT, "behind its figures"),
        may("min", NUMBER, "its lower end"),
        may("max", NUMBER, "its upper end"),
    ],
    any_of: &[],
};

static COLUMN_SPEC: Shape = Shape::Either(&[FILLED, Shape::Record(&COLUMN)]);

const COLUMNS: Shape = list(&COLUMN_SPEC);

static ACTION_SPEC: Shape = Shape::Record(&ROW_ACTION);

const ACTIONS: Shape = list(&ACTION_SPEC);

static SMART_TABLE: Record = Record {
    name: "SmartTableConfig",
    about: "`smart-table`: SMART attributes with what changed, or any other table.",
    keys: &[
        SOURCED,
        may(
            "columns",
            COLUMNS,
            "texts name SMART columns, objects those of any table",
        ),
        may("highlight_deltas", Shape::Flag, "show what changed"),
        may(
            "critical_ids",
            list(&Shape::Either(&[NUMBER, TEXT])),
            "attributes of which any change is bad",
        ),
        may("sortable", Shape::Flag, "by a click on a column"),
        may("default_sort", Shape::Record(&SORT), "at first"),
        may("filterable", Shape::Flag, "by a text"),
        may("filter_keys", TEXTS, "columns with a filter of their own"),
        may("expandable", Shape::Flag, "rows that open"),
        may("expand_key", FILLED, "the row's field with the rows below it"),
        may("child_columns", COLUMNS, "columns of these"),
        may(
            "tree",
            Shape::Either(&[Shape::Flag, OBJECT]),
            "rows below rows, by the parts of a field: {key, separator}",
        ),
        may("selectable", Shape::Flag, "rows that can be chosen"),
        may("key_field", FILLED, "the field that tells rows apart"),
        may("page_size", COUNT, "rows at a time"),
        may("time_filter", Shape::Record(&TIME_FILTER), "how far back"),
        may("progress_indicator", Shape::Record(&BUSY), "rows that are busy"),
        may("row_actions", ACTIONS, "what can be done with a row"),
        may("toolbar_actions", ACTIONS, "what can be done with the table"),
        may("bulk_actions", ACTIONS, "what can be done with the rows chosen"),
    ],
    any_of: &[],
};

static COLUMN: Record = Record {
    name: "Column",
    about: "A column.",
    keys: &[
        must("key", FILLED, "the row's field"),
        may("label", TEXT, "its head"),
        may(
            "format",
            TEXT,
            "bytes, percent, duration, datetime, relative_time, badge, status_dot, warning_badge, actions; others are shown as text",
        ),
        may(
            "actions",
            list(&COLUMN_ACTION_SPEC),
            "buttons in the column, where its format is actions",
        ),
    ],
    any_of: &[],
};

static COLUMN_ACTION_SPEC: Shape = Shape::Record(&COLUMN_ACTION);

static COLUMN_ACTION: Record = Record {
    name: "ColumnAction",
    about: "A button in a column.",
    keys: &[
        must("type", Shape::Form(&ACTION_NAME), "the action; `delete` is destructive"),
        may("id_key", FILLED, "the row's field that is sent"),
        may("label", TEXT, "on it"),
    ],
    any_of: &[],
};

static SORT: Record = Record {
    name: "Sort",
    about: "An order of rows.",
    keys: &[
        must("key", FILLED, "the column"),
        may("direction", Shape::Word(&["asc", "desc"]), "asc where it is absent"),
    ],
    any_of: &[],
};

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

static BUSY: Record = Record {
    name: "ProgressIndicator",
    about: "Which rows are busy.",
    keys: &[
        must("field", FILLED, "the row's field"),
        may("busy_values", TEXTS, "its values while busy"),
        may("interval_seconds", COUNT, "how often the source is asked while one is"),
    ],
    any_of: &[],
};

static ROW_ACTION: Record = Record {
    name: "TableAction",
    about: "A button of a table.",
    keys: &[
        must("id", FILLED, "its name"),
        may("label", TEXT, "on it"),
        may("icon", TEXT, "name of an icon"),
        may(
            "safety_tier",
            Shape::Word(&["green", "yellow", "red"]),
            "as existing add-ons say read, write, destructive",
        ),
        may(
            "safety",
            Shape::Word(SAFETY),
            "how much it can do; write where nothing says so",
        ),
        may("destructive", Shape::Flag, "the same as safety destructive"),
        may(
            "visible_when",
            CONDITION,
            "a condition on the row, its fields named row.NAME",
        ),
        may(
            "action",
            Shape::Either(&[Shape::Form(&ACTION_NAME), Shape::Record(&ENDPOINT)]),
            "an action's name, or a path; its id where it is absent",
        ),
        may("confirm", Shape::Record(&CONFIRM), "what is asked before"),
        may(
            "form",
            OBJECT,
            "fields asked before: {title, fields: [{key, label, type …}]} or with sections of fields",
        ),
        may("hidden", Shape::Flag, "no button of its own; something else opens it"),
    ],
    any_of: &[],
};

static ENDPOINT: Record = Record {
    name: "Endpoint",
    about: "A path of the add-on's API.",
    keys: &[
        may(
            "method",
            Shape::Word(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "POST where it is absent",
        ),
        must(
            "endpoint",
            Shape::Form(&API_PATH),
            "{row.NAME} stands for the row's field",
        ),
    ],
    any_of: &[],
};

static CONFIRM: Record = Record {
    name: "Confirm",
    about: "What is asked before, and said after.",
    keys: &[
        may("title", TEXT, "the question"),
        may("message", TEXT, "what will happen"),
        may("button_label", TEXT, "on the button"),
        may("button_variant", TEXT, "its look: danger, warning"),
        may("success_message", TEXT, "when it is done"),
        may("error_message", TEXT, "when it failed; {error} stands for why"),
    ],
    any_of: &[],
};

static LOG_VIEWER: Record = Record {
    name: "LogViewerConfig",
    about: "`log-viewer`: lines as they come, from `log` frames.",
    keys: &[
        SOURCED,
        may("max_lines", COUNT, "lines kept"),
        may("levels", TEXTS, "levels to choose from"),
        may("show_timestamp", Shape::Flag, "the time"),
        may("show_source", Shape::Flag, "who says it"),
        may("filterable_by_job", Shape::Flag, "a filter by job"),
        may("time_filter", Shape::Record(&TIME_FILTER), "how far back"),
    ],
    any_of: &[],
};

static DEPLOY_WIZARD: Record = Record {
    name: "DeployWizardConfig",
    about: "`deploy-wizard`: how one more agent of the add-on is brought up.",
    keys: &[
        may("target_label", TEXT, "what is brought up"),
        may("docker", Shape::Record(&DOCKER), "as a container"),
        may("binary", Shape::Record(&BINARY), "as a program"),
        may(
            "prefill_endpoint",
            Shape::Form(&PATH),
            "tells values that are known already",
        ),
    ],
    any_of: &["docker", "binary"],
};

const PLATFORMS: Shape = Shape::Either(&[
    Shape::Map {
        of: &Shape::Any,
        min: 1,
    },
    Shape::List {
        of: &Shape::Any,
        min: 1,
        max: usize::MAX,
    },
]);

static DOCKER: Record = Record {
    name: "Docker",
    about: "A container.",
    keys: &[
        must("image", FILLED, "its image"),
        may("default_tag", TEXT, "latest where it is absent"),
        may("container_name", TEXT, "its name"),
        may("network_mode", TEXT, "host, bridge"),
        may("ports", TEXTS, "host:container"),
        may("privileged", Shape::Flag, "with all rights"),
        may("volumes", TEXTS, "host:container"),
        may("named_volumes", TEXTS, "volumes by name"),
        may(
            "environment",
            Shape::Map {
                of: &Shape::Record(&VARIABLE),
                min: 0,
            },
            "its variables",
        ),
        must("platforms", PLATFORMS, "where it runs, each with label and hint"),
    ],
    any_of: &[],
};

static VARIABLE: Record = Record {
    name: "Variable",
    about: "An environment variable.",
    keys: &[
        must(
            "source",
            Shape::Word(&["prefill", "user_input", "literal"]),
            "who says its value",
        ),
        may("key", TEXT, "of the prefill endpoint's answer"),
        may("label", TEXT, "beside it"),
        may("placeholder", TEXT, "while it is empty"),
        may("hint", TEXT, "below it"),
        may("value", TEXT, "of a literal"),
        may("readonly", Shape::Flag, "cannot be changed"),
        may("secret", Shape::Flag, "shown on request only"),
        may("rotate_action", Shape::Form(&ACTION_NAME), "makes it anew"),
        may("optional", Shape::Flag, "may stay empty"),
    ],
    any_of: &[],
};

static BINARY: Record = Record {
    name: "Binary",
    about: "A program to install.",
    keys: &[
        must("install_url", Shape::Form(&URL), "where it is"),
        must("platforms", PLATFORMS, "where it runs, each with label and hint"),
    ],
    any_of: &[],
};

static CONFIG_CARD: Record = Record {
    name: "ConfigCardConfig",
    about: "`config-card`: the add-on's settings at a glance.",
    keys: &[
        SOURCED,
        may("labels", Shape::Map { of: &TEXT, min: 0 }, "names for its keys"),
        may("link_page", FILLED, "the page on which they are changed"),
    ],
    any_of: &[],
};

static DISK_STORAGE: Record = Record {
    name: "DiskStorageConfig",
    about: "`disk-storage`: disks and how full they are.",
    keys: &[
        SOURCED,
        may("aliases", Shape::Any, "other names for disks"),
        may(
            "thresholds",
            Shape::Map { of: &NUMBER, min: 0 },
            "per cent from which a disk is marked: warning, critical",
        ),
    ],
    any_of: &[],
};

static DISCOVERY_CARD: Record = Record {
    name: "DiscoveryCardConfig",
    about: "`discovery-card`: disks or pools that were found.",
    keys: &[
        SOURCED,
        may(
            "poll_interval_seconds",
            Shape::Number {
                min: 15.0,
                max: f64::INFINITY,
                whole: false,
            },
            "how often the source is asked",
        ),
        may("target_table", FILLED, "id of the table that they go into"),
        may("expand_endpoint", Shape::Form(&PATH), "asked to make a pool larger"),
        may("pools_endpoint", Shape::Form(&PATH), "tells the pools"),
    ],
    any_of: &[],
};
