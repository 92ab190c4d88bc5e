//! What is shown as it happens: jobs, lines over time, logs.

use super::super::shape::{COUNT, FILLED, NUMBER, Record, Shape, TEXT, TEXTS, may};
use super::{ACTION_NAME, API_PATH, OBJECT, SOURCED, TIME_FILTER, TIME_RANGE, list};

pub(super) static PROGRESS: Record = Record {
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
        )
        .whole(),
        may(
            "endpoint",
            Shape::Form(&API_PATH),
            "where it is asked; {job_id} stands for the job",
        )
        .whole(),
        may(
            "method",
            Shape::Word(&["POST", "PUT", "PATCH", "DELETE"]),
            "how; DELETE where it is absent",
        )
        .whole(),
        may(
            "action",
            Shape::Form(&ACTION_NAME),
            "in place of an endpoint: an action with the job_id",
        )
        .whole(),
        may("confirm_message", TEXT, "what is asked before"),
    ],
    any_of: &[],
};

pub(super) static CHART: Record = Record {
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
        may(
            "labels",
            list(&Shape::Any),
            "along the x axis, where the datasets have data",
        ),
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
        may(
            "fill",
            Shape::Either(&[Shape::Flag, TEXT, NUMBER, OBJECT]),
            "down to the axis",
        ),
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

pub(super) static LOG_VIEWER: Record = Record {
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
