//! Cards and the wizard that brings up one more agent.

use super::super::flaw::Weight;
use super::super::shape::{FILLED, NUMBER, Record, Shape, TEXT, TEXTS, may, must};
use super::{ACTION_NAME, API_PATH, SOURCED, URL};

pub(super) static DEPLOY_WIZARD: Record = Record {
    name: "DeployWizardConfig",
    about: "`deploy-wizard`: how one more agent of the add-on is brought up.",
    keys: &[
        may("target_label", TEXT, "what is brought up"),
        may("docker", Shape::Record(&DOCKER), "as a container").grave(),
        may("binary", Shape::Record(&BINARY), "as a program").grave(),
        may(
            "prefill_endpoint",
            Shape::Form(&API_PATH),
            "tells values that are known already",
        )
        .weighing(Weight::LightOf(|path| path.starts_with('/'))),
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
        may("readonly", Shape::Flag, "cannot be changed").whole(),
        may("secret", Shape::Flag, "shown on request only").whole(),
        may("rotate_action", Shape::Form(&ACTION_NAME), "makes it anew").whole(),
        may("optional", Shape::Flag, "may stay empty"),
    ],
    any_of: &[],
};

static BINARY: Record = Record {
    name: "Binary",
    about: "A program to install.",
    keys: &[
        must(
            "install_url",
            Shape::Form(&URL),
            "where it is; a path alone is one of the add-on's url, or of the box where it has none",
        ),
        must("platforms", PLATFORMS, "where it runs, each with label and hint"),
    ],
    any_of: &[],
};

pub(super) static CONFIG_CARD: Record = Record {
    name: "ConfigCardConfig",
    about: "`config-card`: the add-on's settings at a glance.",
    keys: &[
        SOURCED,
        may("labels", Shape::Map { of: &TEXT, min: 0 }, "names for its keys"),
        may("link_page", FILLED, "the page on which they are changed"),
    ],
    any_of: &[],
};

pub(super) static DISK_STORAGE: Record = Record {
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

pub(super) static DISCOVERY_CARD: Record = Record {
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
        )
        .grave(),
        may("target_table", FILLED, "id of the table that they go into"),
        may("expand_endpoint", Shape::Form(&API_PATH), "asked to make a pool larger"),
        may("pools_endpoint", Shape::Form(&API_PATH), "tells the pools"),
    ],
    any_of: &[],
};
