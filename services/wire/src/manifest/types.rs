//! A manifest as types: what the server asks of it, and what the dashboard compiles against.
//!
//! What each name means stands in `parts/`, and in the reference that is made from it. A name that may be absent is
//! an `Option`; null means the same. Names that nobody here knows are not kept: the JSON itself is what is stored and
//! served.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

macro_rules! parts {
    ($($(#[$about:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
        #[ts(optional_fields)]
        #[allow(missing_docs, reason = "parts says what each name means")]
        pub struct $name { $($(#[$meta])* pub $field: $type),* }
    )* };
}

/// A component, by its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "parts says what each is")]
pub enum Component {
    Form(Part<FormConfig>),
    Progress(Part<ProgressConfig>),
    Chart(Part<ChartConfig>),
    SmartTable(Part<SmartTableConfig>),
    LogViewer(Part<LogViewerConfig>),
    DeployWizard(Part<DeployWizardConfig>),
    ConfigCard(Part<ConfigCardConfig>),
    DiskStorage(Part<DiskStorageConfig>),
    DiscoveryCard(Part<DiscoveryCardConfig>),
}

/// What all components have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
#[allow(missing_docs, reason = "parts says what each name means")]
pub struct Part<C> {
    pub id: String,
    pub title: Option<String>,
    pub source: Option<String>,
    pub config: Option<C>,
}

/// What a field of a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words themselves")]
pub enum FieldType {
    Text,
    Number,
    Select,
    Checkbox,
    Toggle,
    Hidden,
    Range,
}

/// How much an action can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// It only looks.
    Read,
    /// It changes something that can be changed back.
    Write,
    /// Something is lost by it: every gate must be ticked, the password given, and CONFIRM typed.
    Destructive,
}

/// How much an action can do, in the words of existing add-ons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "green is read, yellow is write, red is destructive")]
pub enum SafetyTier {
    Green,
    Yellow,
    Red,
}

/// A column of a table: the name of a SMART column, or a column of any table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(untagged)]
#[allow(missing_docs, reason = "see above")]
pub enum ColumnSpec {
    Name(String),
    Column(Column),
}

/// What a button of a table does: an action of that name, or a request to a path of the add-on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(untagged)]
#[allow(missing_docs, reason = "see above")]
pub enum ActionSpec {
    Name(String),
    Endpoint(Endpoint),
}

parts! {
    /// An add-on's pages.
    Manifest {
        name: String,
        version: String,
        description: Option<String>,
        author: Option<String>,
        docker_image: Option<String>,
        pages: Vec<Page>,
    }
    /// One page.
    Page {
        id: String,
        title: String,
        icon: Option<String>,
        components: Option<Vec<Component>>,
        page_config: Option<PageConfig>,
    }
    /// How a page behaves.
    PageConfig {
        refresh: Option<Refresh>,
        #[ts(type = "unknown")]
        agent_selector: Option<Value>,
    }
    /// How a page's sources are asked anew.
    Refresh { manual: Option<bool>, auto_options: Option<Vec<RefreshOption>> }
    /// An interval in seconds.
    RefreshOption { value: f64, label: Option<String> }
    /// `form`.
    FormConfig {
        fields: Option<Vec<Field>>,
        action: Option<String>,
        submit_label: Option<String>,
        reset_label: Option<String>,
        layout: Option<String>,
        safety: Option<Safety>,
        destructive: Option<bool>,
    }
    /// One field of a form.
    Field {
        name: String,
        label: Option<String>,
        #[serde(rename = "type")]
        kind: Option<FieldType>,
        required: Option<bool>,
        options: Option<Vec<FieldOption>>,
        source: Option<String>,
        placeholder: Option<String>,
        custom_placeholder: Option<String>,
        #[ts(type = "unknown")]
        default: Option<Value>,
        min: Option<f64>,
        max: Option<f64>,
        #[ts(type = "number | \"any\"")]
        step: Option<Value>,
        unit: Option<String>,
        hint: Option<String>,
        depends_on: Option<String>,
        #[ts(type = "string | { [key: string]: unknown }")]
        visible_when: Option<Value>,
        live_calculation: Option<String>,
        security_gate: Option<bool>,
    }
    /// A choice of a select.
    FieldOption { value: String, label: Option<String> }
    /// `progress`.
    ProgressConfig {
        source: Option<String>,
        multi: Option<bool>,
        show_phase: Option<bool>,
        show_eta: Option<bool>,
        show_speed: Option<bool>,
        show_temperature: Option<bool>,
        cancel: Option<Cancel>,
    }
    /// How a job is ended.
    Cancel {
        enabled: Option<bool>,
        endpoint: Option<String>,
        method: Option<String>,
        action: Option<String>,
        confirm_message: Option<String>,
    }
    /// `chart`.
    ChartConfig {
        source: Option<String>,
        datasets: Option<Vec<Dataset>>,
        #[serde(rename = "maxPoints")]
        max_points: Option<f64>,
        height: Option<f64>,
        #[serde(rename = "yAxes")]
        y_axes: Option<Axes>,
        time_range: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        #[ts(type = "Array<unknown>")]
        labels: Option<Vec<Value>>,
        data: Option<ChartData>,
        #[ts(type = "unknown")]
        options: Option<Value>,
    }
    /// Data in the form of Chart.js.
    ChartData {
        #[ts(type = "Array<unknown>")]
        labels: Option<Vec<Value>>,
        datasets: Option<Vec<Dataset>>,
    }
    /// A line of a chart.
    Dataset {
        key: Option<String>,
        label: Option<String>,
        color: Option<String>,
        #[serde(rename = "yAxis")]
        y_axis: Option<String>,
        #[ts(type = "unknown")]
        fill: Option<Value>,
        #[ts(type = "Array<unknown>")]
        data: Option<Vec<Value>>,
    }
    /// The axes of a chart.
    Axes { left: Option<Axis>, right: Option<Axis> }
    /// An axis.
    Axis { title: Option<String>, unit: Option<String>, min: Option<f64>, max: Option<f64> }
    /// `smart-table`.
    SmartTableConfig {
        source: Option<String>,
        columns: Option<Vec<ColumnSpec>>,
        highlight_deltas: Option<bool>,
        #[ts(type = "Array<number | string>")]
        critical_ids: Option<Vec<Value>>,
        sortable: Option<bool>,
        default_sort: Option<Sort>,
        filterable: Option<bool>,
        filter_keys: Option<Vec<String>>,
        expandable: Option<bool>,
        expand_key: Option<String>,
        child_columns: Option<Vec<ColumnSpec>>,
        #[ts(type = "boolean | { [key: string]: unknown }")]
        tree: Option<Value>,
        selectable: Option<bool>,
        key_field: Option<String>,
        page_size: Option<f64>,
        time_filter: Option<TimeFilter>,
        progress_indicator: Option<ProgressIndicator>,
        row_actions: Option<Vec<TableAction>>,
        toolbar_actions: Option<Vec<TableAction>>,
        bulk_actions: Option<Vec<TableAction>>,
    }
    /// A column.
    Column {
        key: String,
        label: Option<String>,
        format: Option<String>,
        actions: Option<Vec<ColumnAction>>,
    }
    /// A button in a column.
    ColumnAction {
        #[serde(rename = "type")]
        kind: String,
        id_key: Option<String>,
        label: Option<String>,
        safety_tier: Option<SafetyTier>,
        safety: Option<Safety>,
        destructive: Option<bool>,
    }
    /// An order of rows.
    Sort { key: String, direction: Option<String> }
    /// How far back, to choose from.
    TimeFilter { default: Option<String>, options: Option<Vec<TimeOption>> }
    /// A stretch of time.
    TimeOption { value: String, label: Option<String> }
    /// Which rows are busy.
    ProgressIndicator { field: String, busy_values: Option<Vec<String>>, interval_seconds: Option<f64> }
    /// A button of a table.
    TableAction {
        id: String,
        label: Option<String>,
        icon: Option<String>,
        safety_tier: Option<SafetyTier>,
        safety: Option<Safety>,
        destructive: Option<bool>,
        #[ts(type = "string | { [key: string]: unknown }")]
        visible_when: Option<Value>,
        action: Option<ActionSpec>,
        confirm: Option<Confirm>,
        #[ts(type = "{ [key: string]: unknown }")]
        form: Option<Value>,
        hidden: Option<bool>,
    }
    /// A path of the add-on's API.
    Endpoint { method: Option<String>, endpoint: String }
    /// What is asked before, and said after.
    Confirm {
        title: Option<String>,
        message: Option<String>,
        button_label: Option<String>,
        button_variant: Option<String>,
        success_message: Option<String>,
        error_message: Option<String>,
    }
    /// `log-viewer`.
    LogViewerConfig {
        source: Option<String>,
        max_lines: Option<f64>,
        levels: Option<Vec<String>>,
        show_timestamp: Option<bool>,
        show_source: Option<bool>,
        filterable_by_job: Option<bool>,
        time_filter: Option<TimeFilter>,
    }
    /// `deploy-wizard`.
    DeployWizardConfig {
        target_label: Option<String>,
        docker: Option<Docker>,
        binary: Option<Binary>,
        prefill_endpoint: Option<String>,
    }
    /// A container.
    Docker {
        image: String,
        default_tag: Option<String>,
        container_name: Option<String>,
        network_mode: Option<String>,
        ports: Option<Vec<String>>,
        privileged: Option<bool>,
        volumes: Option<Vec<String>>,
        named_volumes: Option<Vec<String>>,
        environment: Option<BTreeMap<String, Variable>>,
        #[ts(type = "unknown")]
        platforms: Value,
    }
    /// An environment variable.
    Variable {
        source: String,
        key: Option<String>,
        label: Option<String>,
        placeholder: Option<String>,
        hint: Option<String>,
        value: Option<String>,
        readonly: Option<bool>,
        secret: Option<bool>,
        rotate_action: Option<String>,
        optional: Option<bool>,
    }
    /// A program to install.
    Binary {
        install_url: String,
        #[ts(type = "unknown")]
        platforms: Value,
    }
    /// `config-card`.
    ConfigCardConfig {
        source: Option<String>,
        labels: Option<BTreeMap<String, String>>,
        link_page: Option<String>,
    }
    /// `disk-storage`.
    DiskStorageConfig {
        source: Option<String>,
        #[ts(type = "unknown")]
        aliases: Option<Value>,
        thresholds: Option<BTreeMap<String, f64>>,
    }
    /// `discovery-card`.
    DiscoveryCardConfig {
        source: Option<String>,
        poll_interval_seconds: Option<f64>,
        target_table: Option<String>,
        expand_endpoint: Option<String>,
        pools_endpoint: Option<String>,
    }
}

impl Component {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Form(part) => &part.id,
            Self::Progress(part) => &part.id,
            Self::Chart(part) => &part.id,
            Self::SmartTable(part) => &part.id,
            Self::LogViewer(part) => &part.id,
            Self::DeployWizard(part) => &part.id,
            Self::ConfigCard(part) => &part.id,
            Self::DiskStorage(part) => &part.id,
            Self::DiscoveryCard(part) => &part.id,
        }
    }
}

impl Manifest {
    /// All its components, with the pages they are on.
    pub fn components(&self) -> impl Iterator<Item = (&Page, &Component)> {
        self.pages
            .iter()
            .flat_map(|page| page.components.iter().flatten().map(move |component| (page, component)))
    }
}
