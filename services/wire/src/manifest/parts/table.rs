//! Tables, with what can be done with their rows.

use super::super::shape::{COUNT, FILLED, Key, NUMBER, Record, Shape, TEXT, TEXTS, may, must};
use super::{ACTION_NAME, API_PATH, CONDITION, OBJECT, SAFETY, SOURCED, TIME_FILTER, list};

static COLUMN_SPEC: Shape = Shape::Either(&[FILLED, Shape::Record(&COLUMN)]);

const COLUMNS: Shape = list(&COLUMN_SPEC);

static ACTION_SPEC: Shape = Shape::Record(&ROW_ACTION);

const ACTIONS: Shape = list(&ACTION_SPEC);

pub(super) static SMART_TABLE: Record = Record {
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
        may(
            "filter_keys",
            TEXTS,
            "the row's fields that the filter looks at; all of them where it is absent",
        ),
        may("expandable", Shape::Flag, "rows that open"),
        may("expand_key", FILLED, "the row's field with the rows below it"),
        may("child_columns", COLUMNS, "columns of these"),
        may(
            "tree",
            Shape::Either(&[Shape::Flag, OBJECT]),
            "rows below rows: by the parts of a field {key, separator}, by the row above {parent_key, id_key}, or by lists {children_key}",
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

const SAFETY_TIER: Key = may(
    "safety_tier",
    Shape::Word(&["green", "yellow", "red"]),
    "as existing add-ons say read, write, destructive",
)
.grave();

const HOW_SAFE: Key = may(
    "safety",
    Shape::Word(SAFETY),
    "how much it can do; what its name says where nothing says so",
)
.grave();

const DESTRUCTIVE: Key = may("destructive", Shape::Flag, "the same as safety destructive").grave();

static COLUMN_ACTION_SPEC: Shape = Shape::Record(&COLUMN_ACTION);

static COLUMN_ACTION: Record = Record {
    name: "ColumnAction",
    about: "A button in a column.",
    keys: &[
        must("type", Shape::Form(&ACTION_NAME), "the action"),
        may("id_key", FILLED, "the row's field that is sent").whole(),
        may("label", TEXT, "on it"),
        SAFETY_TIER,
        HOW_SAFE,
        DESTRUCTIVE,
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
        SAFETY_TIER,
        HOW_SAFE,
        DESTRUCTIVE,
        may(
            "visible_when",
            CONDITION,
            "a condition on the row, its fields named row.NAME",
        )
        .whole(),
        may(
            "action",
            Shape::Either(&[Shape::Form(&ACTION_NAME), Shape::Record(&ENDPOINT)]),
            "an action's name, or a path; its id where it is absent",
        )
        .whole(),
        may("confirm", Shape::Record(&CONFIRM), "what is asked before").whole(),
        may(
            "form",
            OBJECT,
            "fields asked before: {title, fields: [{key, label, type …}]} or with sections of fields",
        )
        .whole(),
        may("hidden", Shape::Flag, "no button of its own; something else opens it").whole(),
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
        )
        .whole(),
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
