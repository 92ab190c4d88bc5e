//! What a manifest says that can be asked of its add-on, and how much each of these can do.
//!
//! The server asks an add-on nothing that its manifest does not declare. The names of actions that begin with one of
//! [`LOOKS`] only look, unless the manifest says otherwise; one that begins with one of [`DESTROYS`] destroys, whatever the
//! manifest says. The dashboard reads both the same way (`addon/safety.ts`), and both sides run `cases/safety.json`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ActionSpec, Cancel, ColumnAction, ColumnSpec, Component, Endpoint, Field, FieldType, Manifest, Safety, SafetyTier,
    SmartTableConfig, TableAction,
};
use crate::expression::{Values, When};

/// First words of actions that only look.
const LOOKS: [&str; 6] = ["get", "list", "refresh", "show", "status", "read"];

/// What the names of actions begin with by which something is lost.
const DESTROYS: [&str; 13] = [
    "delete",
    "destroy",
    "erase",
    "format",
    "overwrite",
    "partition",
    "purge",
    "reformat",
    "remove",
    "repartition",
    "sanitize",
    "shred",
    "wipe",
];

/// An action that is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// How much it can do.
    pub safety: Safety,
    /// Fields of its form that must be true.
    pub gates: Vec<String>,
    /// What the forms of a table's buttons ask, as far as a gate can hang on it; of a form itself none.
    pub asks: Vec<Field>,
    /// The request to a path that stands for it, if the manifest names one; its method is filled in.
    pub endpoint: Option<Endpoint>,
}

/// A request to a path that is declared: `{…}` in the path stands for one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPath {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// The path with its placeholders.
    pub path: String,
    /// How much it can do.
    pub safety: Safety,
}

/// One place of a component that declares an action.
#[derive(Debug)]
pub(super) struct Action<'m> {
    /// What it can be asked for by.
    pub(super) names: [&'m str; 2],
    /// How much it can do, with every gate of its form.
    pub(super) safety: Safety,
    /// What a table's button asks before.
    pub(super) form: Option<&'m Value>,
    /// The request to a path that stands for it; its method is filled in.
    pub(super) endpoint: Option<Endpoint>,
}

impl<'m> Action<'m> {
    fn free(name: &'m str, safety: Safety, endpoint: Option<Endpoint>) -> Self {
        Self {
            names: [name, name],
            safety,
            form: None,
            endpoint,
        }
    }
}

/// Whether something is lost by an action of this name.
fn destroys(name: &str) -> bool {
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = name.to_ascii_lowercase();
    DESTROYS.iter().any(|verb| name.starts_with(verb))
}

pub(super) fn of_name(action: &str) -> Safety {
    let word = action.split(['_', '-']).next().unwrap_or("").to_ascii_lowercase();
    if destroys(action) {
        Safety::Destructive
    } else if LOOKS.contains(&word.as_str()) {
        Safety::Read
    } else {
        Safety::Write
    }
}

/// The greatest that anything says; where nothing does, what the name says. A name that destroys is not talked down.
fn safety(said: Option<Safety>, tier: Option<SafetyTier>, destructive: Option<bool>, name: &str) -> Safety {
    if destroys(name) {
        return Safety::Destructive;
    }
    // Existing add-ons call a write green that can be undone; whether it only looks, its name tells.
    let tier = tier.and_then(|tier| match tier {
        SafetyTier::Green => None,
        SafetyTier::Yellow => Some(Safety::Write),
        SafetyTier::Red => Some(Safety::Destructive),
    });
    let destructive = (destructive == Some(true)).then_some(Safety::Destructive);
    said.max(tier).max(destructive).unwrap_or_else(|| of_name(name))
}

/// How deep fields lie in a button's form: a part, its list, a field.
const DEPTH_MAX: usize = 8;

/// Whether a button's form has a field that opens the gate, in whatever part of it.
pub(super) fn is_gated(form: &Value, depth: usize) -> bool {
    let inside = |inner: &Value| depth < DEPTH_MAX && is_gated(inner, depth + 1);
    match form {
        Value::Object(fields) => {
            let gate = fields.get("security_gate");
            gate.is_some_and(|gate| *gate == Value::Bool(true) || *gate == "true") || fields.values().any(inside)
        }
        Value::Array(items) => items.iter().any(inside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A field of a button's form, which may call its name `key`, as far as a gate can hang on it; `when` is its part's condition.
fn asked(field: &Value, when: Option<&Value>) -> Option<Field> {
    let text = |key: &str| field.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let gate = field.get("security_gate");
    let kept = json!({
        "name": text("name").or_else(|| text("key"))?,
        "type": text("type").filter(|kind| matches!(*kind, "checkbox" | "toggle")),
        "default": field.get("default"),
        "visible_when": field.get("visible_when").or(when),
        "security_gate": gate.is_some_and(|gate| *gate == Value::Bool(true) || *gate == "true"),
    });
    Field::deserialize(kept).ok()
}

impl TableAction {
    /// What its form asks, in all its parts.
    fn asks(&self) -> Vec<Field> {
        let Some(form) = &self.form else { return Vec::new() };
        let list = |of: &Value| of.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut asks: Vec<Field> = list(form).iter().filter_map(|field| asked(field, None)).collect();
        for part in form.get("sections").and_then(Value::as_array).into_iter().flatten() {
            let when = part.get("visible_when");
            asks.extend(list(part).iter().filter_map(|field| asked(field, when)));
        }
        asks
    }

    /// How much it can do.
    pub fn safety(&self) -> Safety {
        // The id can be asked for as well as the name, and of a path it is all that is called by a name.
        if destroys(&self.id) || self.form.as_ref().is_some_and(|form| is_gated(form, 0)) {
            return Safety::Destructive;
        }
        let name = match &self.action {
            Some(ActionSpec::Name(name)) => name.as_str(),
            Some(ActionSpec::Endpoint(endpoint)) if endpoint.method.as_deref() == Some("GET") => "get",
            Some(ActionSpec::Endpoint(_)) => "",
            None => self.id.as_str(),
        };
        safety(self.safety, self.safety_tier, self.destructive, name)
    }

    /// The action's name: the one it says, else its id.
    pub fn name(&self) -> &str {
        match &self.action {
            Some(ActionSpec::Name(name)) => name,
            Some(ActionSpec::Endpoint(_)) | None => &self.id,
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        match &self.action {
            Some(ActionSpec::Endpoint(endpoint)) => Some(filled(endpoint, "POST")),
            Some(ActionSpec::Name(_)) | None => None,
        }
    }
}

impl ColumnAction {
    /// How much it can do.
    pub fn safety(&self) -> Safety {
        safety(self.safety, self.safety_tier, self.destructive, &self.kind)
    }
}

impl Cancel {
    /// The action's name.
    fn name(&self) -> &str {
        self.action.as_deref().unwrap_or("cancel")
    }

    /// How much it can do: it ends a job.
    fn safety(&self) -> Safety {
        of_name(self.name()).max(Safety::Write)
    }
}

fn filled(endpoint: &Endpoint, method: &str) -> Endpoint {
    Endpoint {
        method: Some(endpoint.method.clone().unwrap_or_else(|| method.to_owned())),
        endpoint: endpoint.endpoint.clone(),
    }
}

/// Whether a field is a gate that is shown for this data; without data, any gate.
fn is_shut(field: &Field, data: Option<&Values>) -> bool {
    let shown = field.visible_when.as_ref().and_then(|when| When::parse(when).ok());
    field.security_gate == Some(true) && data.zip(shown).is_none_or(|(data, when)| when.holds(data))
}

impl Field {
    /// Whether it is a box that can be ticked. A gate that is none cannot be held shut by it; its form is as grave for all that.
    pub fn is_tick(&self) -> bool {
        matches!(self.kind, Some(FieldType::Checkbox | FieldType::Toggle))
    }
}

impl Component {
    fn table(&self) -> Option<&SmartTableConfig> {
        match self {
            Self::SmartTable(part) => part.config.as_ref(),
            Self::Form(_)
            | Self::Progress(_)
            | Self::Chart(_)
            | Self::LogViewer(_)
            | Self::DeployWizard(_)
            | Self::ConfigCard(_)
            | Self::DiskStorage(_)
            | Self::DiscoveryCard(_) => None,
        }
    }

    fn table_actions(&self) -> impl Iterator<Item = &TableAction> {
        self.table().into_iter().flat_map(|config| {
            [&config.row_actions, &config.toolbar_actions, &config.bulk_actions]
                .into_iter()
                .flatten()
                .flatten()
        })
    }

    fn column_actions(&self) -> impl Iterator<Item = &ColumnAction> {
        let columns = self
            .table()
            .into_iter()
            .flat_map(|config| config.columns.iter().flatten());
        let buttons = columns.filter_map(|column| match column {
            ColumnSpec::Column(column) => column.actions.as_ref(),
            ColumnSpec::Name(_) => None,
        });
        buttons.flatten()
    }

    /// All that declares an action, each place by itself.
    pub(super) fn actions(&self) -> Vec<Action<'_>> {
        match self {
            Self::Form(part) => {
                let action = part.config.as_ref().and_then(|config| config.action.as_deref());
                let declared = action.and_then(|action| Some((action, self.declares(action, same, None)?)));
                let form = declared.map(|(action, declared)| Action::free(action, declared.safety, None));
                form.into_iter().collect()
            }
            Self::Progress(part) => {
                let cancel = part.config.as_ref().and_then(|config| config.cancel.as_ref());
                let cancel = cancel.filter(|cancel| cancel.enabled != Some(false)).map(|cancel| {
                    let endpoint = cancel.endpoint.as_ref().map(|endpoint| Endpoint {
                        method: Some(cancel.method.clone().unwrap_or_else(|| "DELETE".to_owned())),
                        endpoint: endpoint.clone(),
                    });
                    Action::free(cancel.name(), cancel.safety(), endpoint)
                });
                cancel.into_iter().collect()
            }
            Self::SmartTable(_) => {
                let of_columns = self
                    .column_actions()
                    .map(|button| Action::free(&button.kind, button.safety(), None));
                let of_table = self.table_actions().map(|button| Action {
                    names: [button.name(), &button.id],
                    safety: button.safety(),
                    form: button.form.as_ref(),
                    endpoint: button.endpoint(),
                });
                of_columns.chain(of_table).collect()
            }
            Self::DeployWizard(part) => {
                let docker = part.config.as_ref().and_then(|config| config.docker.as_ref());
                let variables = docker
                    .into_iter()
                    .flat_map(|docker| docker.environment.iter().flatten());
                let rotated = variables.filter_map(|(_, variable)| variable.rotate_action.as_deref());
                rotated
                    .map(|action| Action::free(action, of_name(action).max(Safety::Write), None))
                    .collect()
            }
            Self::DiscoveryCard(part) => {
                let path = part.config.as_ref().and_then(|config| config.expand_endpoint.clone());
                let endpoint = path.map(|endpoint| Endpoint {
                    method: Some("POST".to_owned()),
                    endpoint,
                });
                let expand = endpoint.map(|endpoint| Action::free("expand", Safety::Destructive, Some(endpoint)));
                expand.into_iter().collect()
            }
            Self::Chart(_) | Self::LogViewer(_) | Self::ConfigCard(_) | Self::DiskStorage(_) => Vec::new(),
        }
    }

    /// What it declares under a name that `is` takes for `action`.
    fn declares(&self, action: &str, is: fn(&str, &str) -> bool, data: Option<&Values>) -> Option<Declared> {
        match self {
            Self::Form(part) => {
                let config = part
                    .config
                    .as_ref()
                    .filter(|config| config.action.as_deref().is_some_and(|name| is(name, action)))?;
                let fields = config.fields.iter().flatten();
                let shut: Vec<&Field> = fields.filter(|field| is_shut(field, data)).collect();
                let said = safety(config.safety, None, config.destructive, action);
                let safety = if shut.is_empty() { said } else { Safety::Destructive };
                let ticks = shut.into_iter().filter(|field| field.is_tick());
                let gates = ticks.map(|field| field.name.clone()).collect();
                Some(Declared {
                    safety,
                    gates,
                    asks: Vec::new(),
                    endpoint: None,
                })
            }
            Self::SmartTable(_) => {
                let of_table = self
                    .table_actions()
                    .filter(|table| is(table.name(), action) || is(&table.id, action));
                let of_table: Vec<&TableAction> = of_table.collect();
                // All their gates: nobody can tell by which of them it was asked.
                let asks: Vec<Field> = of_table.iter().flat_map(|table| table.asks()).collect();
                let gravest = of_table.into_iter().max_by_key(|table| table.safety());
                let of_columns = self.column_actions().filter(|button| is(&button.kind, action));
                let safety = of_columns.map(ColumnAction::safety).max();
                let safety = safety.max(gravest.map(TableAction::safety))?;
                let shut = asks.iter().filter(|field| is_shut(field, data));
                let mut gates: Vec<String> = shut.map(|field| field.name.clone()).collect();
                gates.sort();
                gates.dedup();
                Some(Declared {
                    safety,
                    gates,
                    asks,
                    endpoint: gravest.and_then(TableAction::endpoint),
                })
            }
            Self::Progress(_) | Self::DeployWizard(_) | Self::DiscoveryCard(_) => {
                let declared = self
                    .actions()
                    .into_iter()
                    .find(|declared| is(declared.names[0], action))?;
                Some(Declared {
                    safety: declared.safety,
                    gates: Vec::new(),
                    asks: Vec::new(),
                    endpoint: declared.endpoint,
                })
            }
            Self::Chart(_) | Self::LogViewer(_) | Self::ConfigCard(_) | Self::DiskStorage(_) => None,
        }
    }
}

impl Manifest {
    /// What the manifest says of an action of one of its components, with all the gates of its form; `None` when it
    /// declares no such action.
    ///
    /// Actions: a form's own, `cancel` of a progress, a table's buttons by their action or id, `expand` of a discovery
    /// card, what makes a variable of a wizard anew. One that several places declare is taken as the gravest of them.
    pub fn declared(&self, component: &str, action: &str) -> Option<Declared> {
        let (_, component) = self.components().find(|(_, other)| other.id() == component)?;
        component.declares(action, same, None)
    }

    /// As [`Self::declared`], with those gates alone that are shown for this data: a form may gate some of its commands.
    pub fn declared_for(&self, component: &str, action: &str, data: &Values) -> Option<Declared> {
        let (_, component) = self.components().find(|(_, other)| other.id() == component)?;
        component.declares(action, same, Some(data))
    }

    /// What the manifest says of a POST to `/api/ACTION`, which is how an add-on with an address is asked for an action: with
    /// all the gates of its form, the gravest of all components, and of those that destroy also what the other end may take
    /// for the same path. `None` when it declares no such action.
    pub fn declared_call(&self, path: &str) -> Option<Safety> {
        let of = |path: &str, is| {
            let action = path.strip_prefix("/api/").filter(|action| !action.is_empty())?;
            let all = self
                .components()
                .filter_map(|(_, part)| part.declares(action, is, None));
            all.map(|declared| declared.safety).max()
        };
        let alike = of(&loosely(path), alike).filter(|safety| *safety == Safety::Destructive);
        of(path, same).max(alike)
    }

    /// The requests to paths that it declares: buttons of tables, ends of jobs, growing a pool.
    pub fn declared_paths(&self) -> Vec<DeclaredPath> {
        let actions = self.components().flat_map(|(_, component)| component.actions());
        let paths = actions.filter_map(|action| {
            let Endpoint { method, endpoint } = action.endpoint?;
            Some(DeclaredPath {
                method: method.unwrap_or_default(),
                path: endpoint,
                safety: action.safety,
            })
        });
        paths.collect()
    }

    /// What the manifest says of a request to a path; `None` when it declares no such request. The gravest of all that fit,
    /// and of those that destroy also what the other end may take for the same path.
    pub fn declared_path(&self, method: &str, path: &str) -> Option<Safety> {
        let (loose, paths) = (loosely(path), self.declared_paths().into_iter());
        paths
            .filter(|declared| declared.method.eq_ignore_ascii_case(method))
            .filter(|declared| {
                let destroys = declared.safety == Safety::Destructive;
                fits(&declared.path, path) || destroys && fits(&loosely(&declared.path), &loose)
            })
            .map(|declared| declared.safety)
            .max()
    }
}

fn same(name: &str, action: &str) -> bool {
    name == action
}

fn alike(name: &str, action: &str) -> bool {
    name.eq_ignore_ascii_case(action)
}

/// A path as a server may read it that cares neither for the case of letters, nor for a slash at the end, nor for what
/// stands behind a semicolon.
pub(super) fn loosely(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    let parts = path.split('/').map(|part| part.split(';').next().unwrap_or(""));
    parts.collect::<Vec<_>>().join("/").to_ascii_lowercase()
}

/// Whether a path is of a pattern, in which `{…}` stands for a part that is not empty, or for some of one.
fn fits(pattern: &str, path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or("");
    let mut parts = path.split('/');
    let mut wanted = pattern.split(['?', '#']).next().unwrap_or("").split('/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) => {
                let plain = part != "." && part != "..";
                if !(wanted == part || plain && is_of(wanted, part)) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Whether one part of a path is of one part of a pattern: what stands between the placeholders is in it in that order, and
/// something is left for each of them.
pub(super) fn is_of(wanted: &str, part: &str) -> bool {
    let mut between = Vec::new();
    let mut rest = wanted;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return false;
        };
        if name.is_empty() {
            return false;
        }
        between.push(before);
        rest = after;
    }
    let Some((first, middle)) = between.split_first() else {
        return false;
    };
    // Each as early as it can be, which leaves the most for those behind it.
    let mut left = part.strip_prefix(first);
    for literal in middle {
        left = left.and_then(|left| behind(left, literal));
    }
    left.is_some_and(|left| left.strip_suffix(rest).is_some_and(|value| !value.is_empty()))
}

/// What stands behind a literal that has at least one character before it.
fn behind<'p>(part: &'p str, literal: &str) -> Option<&'p str> {
    let mut chars = part.chars();
    chars.next()?;
    let after = chars.as_str();
    after.find(literal).and_then(|at| after.get(at + literal.len()..))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_placeholder_is_a_part_or_some_of_one() {
        for (pattern, path, want) in [
            ("/api/disks/{name}", "/api/disks/sda", true),
            ("/api/disks/{name}", "/api/disks/sda?x=1", true),
            ("/api/disks/{name}", "/api/disks/", false),
            ("/api/disks/{name}", "/api/disks/sda/x", false),
            ("/api/disks/{name}", "/api/disks/.", false),
            ("/api/disks/{}", "/api/disks/sda", false),
            ("/api/disks/{name", "/api/disks/sda", false),
            ("/api/disks/wipe-{row.name}", "/api/disks/wipe-sda", true),
            ("/api/disks/wipe-{row.name}", "/api/disks/wipe-", false),
            ("/api/disks/{a}:erase", "/api/disks/sda:erase", true),
            ("/api/disks/{a}:erase", "/api/disks/:erase", false),
            ("/api/disks/{a}:erase", "/api/disks/a:erase:erase", true),
            ("/api/{a}-{b}", "/api/x-y", true),
            ("/api/{a}-{b}", "/api/--y", true),
            ("/api/{a}-{b}", "/api/-y", false),
            ("/api/{a}-{b}-c", "/api/x-y-c", true),
            ("/api/{a}-{b}-c", "/api/x-c", false),
            ("/api/{a}{b}", "/api/xy", true),
            ("/api/{a}{b}", "/api/x", false),
            ("/api/{a}", "/api/ä", true),
            ("/api/same", "/api/same", true),
            ("/api/same", "/api/other", false),
        ] {
            assert_eq!(fits(pattern, path), want, "{pattern} {path}");
        }
    }
}
