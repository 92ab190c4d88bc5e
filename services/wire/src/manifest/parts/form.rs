//! Forms: what is asked of a person.

use super::super::FIELDS_MAX;
use super::super::shape::{FILLED, NUMBER, Record, Shape, TEXT, may, must};
use super::{ACTION_NAME, CONDITION, SAFETY, SOURCED, list};

const FIELD_TYPES: &[&str] = &["text", "number", "select", "checkbox", "toggle", "hidden", "range"];

pub(super) static FORM: Record = Record {
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
        )
        .grave(),
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
            "how much the action can do; without it what its name says, with a gated field `destructive`",
        )
        .grave(),
        may("destructive", Shape::Flag, "the same as safety `destructive`").grave(),
    ],
    any_of: &[],
};

static FIELD: Record = Record {
    name: "Field",
    about: "One field of a form.",
    keys: &[
        must("name", FILLED, "under which its value is sent"),
        may("label", TEXT, "beside it"),
        may("type", Shape::Word(FIELD_TYPES), "text where it is absent"),
        may("required", Shape::Flag, "the form cannot be sent without it").grave(),
        may(
            "options",
            list(&Shape::Record(&FIELD_OPTION)),
            "of a select; the value `__custom__` opens a text box",
        )
        .grave(),
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
        )
        .grave(),
        may(
            "security_gate",
            Shape::Flag,
            "of a checkbox or toggle: it must be true, and the password given, before the action is done",
        )
        .grave(),
    ],
    any_of: &[],
};

static FIELD_OPTION: Record = Record {
    name: "FieldOption",
    about: "A choice of a select.",
    keys: &[must("value", TEXT, "what is sent"), may("label", TEXT, "what is shown")],
    any_of: &[],
};
