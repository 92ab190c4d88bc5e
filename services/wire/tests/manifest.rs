//! Manifests: every limit at its boundary, every name, and the published schema, which must judge as the reader does.
//!
//! `cases/manifest.json` changes one thing at a time in `cases/manifest-full.json`, which has every name that is known.
//! `KILN_BLESS=1 cargo test -p wire --test manifest` writes the schema and the reference in `PROTOCOL.md`.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wire::manifest::{self, Field, Manifest, Safety};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn case_file(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(here("cases").join(name)).unwrap()).unwrap()
}

fn full() -> Value {
    case_file("manifest-full.json")
}

/// The full manifest with one thing changed.
fn changed(case: &Value) -> Value {
    let mut manifest = full();
    let at = case["at"].as_str().unwrap();
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap_or_else(|| panic!("{at}"));
    match (parent, case.get("put")) {
        (Value::Object(map), Some(value)) => drop(map.insert(name.to_owned(), value.clone())),
        (Value::Object(map), None) => drop(map.remove(name).unwrap_or_else(|| panic!("{at}"))),
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{at}"),
    }
    manifest
}

fn flaws(manifest: &Value) -> Vec<String> {
    let read = manifest::read(manifest, manifest.to_string().len());
    read.err().into_iter().flatten().map(|flaw| flaw.to_string()).collect()
}

fn paths(manifest: &Value) -> Vec<String> {
    let read = manifest::read(manifest, manifest.to_string().len());
    read.err().into_iter().flatten().map(|flaw| flaw.path).collect()
}

/// Numbers alike however they are written, and no nulls: what two readings of a manifest have in common.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn the_example_of_the_document_is_taken_unchanged() {
    assert_eq!(flaws(&case_file("manifest-vigil.json")), [""; 0]);
}

#[test]
fn the_manifest_of_an_existing_addon_is_taken_unchanged() {
    let golden = std::env::var("KILN_GOLDEN")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden").into());
    let Ok(text) = std::fs::read_to_string(Path::new(&golden).join("vigil-full-job.jsonl")) else {
        writeln!(std::io::stderr(), "\nNOT RUN: golden vigil-full-job.jsonl is not there").unwrap();
        return;
    };
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let manifests: Vec<Value> = lines
        .map(|line| line["body"]["manifest"].clone())
        .filter(|manifest| manifest["pages"].is_array())
        .collect();
    assert!(!manifests.is_empty());
    for manifest in manifests {
        assert_eq!(flaws(&manifest), [""; 0]);
        let read = manifest::read(&manifest, 0).unwrap();
        let execute = read.declared("job-form", "execute").unwrap();
        assert_eq!(
            (execute.safety, execute.gates),
            (Safety::Destructive, vec!["confirm_destructive".to_owned()])
        );
        assert_eq!(read.declared("job-form", "wipe"), None);
        let cancel = read.declared("active-jobs", "cancel").unwrap();
        assert_eq!(cancel.endpoint.unwrap().endpoint, "/api/jobs/{job_id}");
        assert_eq!(
            read.declared("agent-list", "delete-agent").unwrap().safety,
            Safety::Destructive
        );
        assert_eq!(
            read.declared_path("DELETE", "/api/agents/node1"),
            Some(Safety::Destructive)
        );
        assert_eq!(read.declared_path("DELETE", "/api/jobs/full-1"), Some(Safety::Write));
        for (method, path) in [
            ("POST", "/api/agents/node1"),
            ("DELETE", "/api/agents/"),
            ("DELETE", "/api/agents/a/b"),
            ("DELETE", "/api/agents/.."),
            ("POST", "/api/execute"),
        ] {
            assert_eq!(read.declared_path(method, path), None, "{method} {path}");
        }
    }
}

#[test]
fn a_manifest_with_every_name_is_taken_and_the_types_keep_all_of_it() {
    assert_eq!(flaws(&full()), [""; 0]);
    let read = manifest::read(&full(), 0).unwrap();
    let mut expected = full();
    expected.as_object_mut().unwrap().remove("a_name_nobody_knows");
    assert_eq!(plain(&serde_json::to_value(&read).unwrap()), plain(&expected));
}

#[test]
fn the_full_manifest_has_every_name_of_the_schema() {
    let schema = manifest::schema();
    let text = full().to_string();
    for (record, definition) in schema["$defs"].as_object().unwrap() {
        for name in definition["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("\"{name}\":")), "{record}.{name} is in no case");
        }
    }
}

#[test]
fn each_flaw_names_its_place() {
    let mut wrong = Vec::new();
    let cases = case_file("manifest.json");
    for case in cases.as_array().unwrap() {
        let found = paths(&changed(case));
        let good = match case["flaw"].as_str() {
            Some(path) => found.iter().any(|found| found == path),
            None => found.is_empty(),
        };
        if !good {
            wrong.push(format!("{case}: {found:?}"));
        }
    }
    assert!(cases.as_array().unwrap().len() > 300 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_flaw_is_told_at_once_in_words() {
    let mut manifest = full();
    manifest["version"] = json!(2);
    manifest["pages"][0]["components"][0]["config"]["fields"][3]["name"] = json!("");
    manifest["pages"][1]["id"] = json!("main");
    let found = flaws(&manifest);
    for expected in [
        "version: 2; expected a text that is not empty",
        "pages[0].components[0].config.fields[3].name: \"\"; expected a text that is not empty",
        "pages[1].id: \"main\" again; expected an id that no other page has; pages[0] has it",
    ] {
        assert!(found.iter().any(|flaw| flaw == expected), "{found:#?} lacks {expected}");
    }
    for not_one in [Value::Null, json!([]), json!("x"), json!(5)] {
        assert_eq!(flaws(&not_one).len(), 1);
    }
    let many = json!({ "name": "n", "version": "1", "pages": [{ "id": "p", "title": "t", "components":
        [{ "type": "form", "id": "f", "config": { "fields": vec![json!({}); 5000] } }] }] });
    let found = manifest::read(&many, 0).unwrap_err();
    assert!(found.len() == manifest::FLAWS_MAX + 1 && found[manifest::FLAWS_MAX].what.contains("more flaws"));
}

/// A manifest of so many pages, components on each, and fields in one form.
fn sized(pages: usize, components: usize, fields: usize) -> Value {
    let mut number = 0;
    let pages: Vec<Value> = (0..pages)
        .map(|page| {
            let on_it = components / pages + usize::from(page < components % pages);
            let components: Vec<Value> = (0..on_it)
                .map(|_| {
                    number += 1;
                    let fields: Vec<Value> = (0..fields)
                        .map(|field| json!({ "name": format!("f{field}") }))
                        .collect();
                    json!({ "type": "form", "id": format!("c{number}"), "config": { "fields": fields } })
                })
                .collect();
            json!({ "id": format!("p{page}"), "title": "t", "components": components })
        })
        .collect();
    json!({ "name": "n", "version": "1", "pages": pages })
}

/// The limits of the document: name, what is just taken, what is one past it, and whether a schema can say so.
fn boundaries() -> Vec<(&'static str, Value, Value, bool)> {
    vec![
        ("pages", sized(20, 20, 1), sized(21, 21, 1), true),
        ("components on one page", sized(1, 50, 1), sized(1, 51, 1), true),
        ("components on all pages", sized(20, 50, 1), sized(20, 51, 1), false),
        ("fields", sized(1, 1, 100), sized(1, 1, 101), true),
        (
            "pages at least",
            sized(1, 0, 0),
            json!({ "name": "n", "version": "1", "pages": [] }),
            true,
        ),
    ]
}

#[test]
fn each_limit_is_taken_exactly_and_refused_one_past_it() {
    for (name, taken, refused, _) in boundaries() {
        assert_eq!(flaws(&taken), [""; 0], "{name}");
        let found = flaws(&refused);
        let about = |flaw: &String| flaw.contains("expected a list of") || flaw.contains("at most 50 in total");
        assert!(!found.is_empty() && found.iter().all(about), "{name}: {found:?}");
    }
    let small = sized(1, 1, 1).to_string();
    let padded = |length: usize| format!("{}{}", small, " ".repeat(length - small.len()));
    assert!(manifest::read_text(&padded(manifest::SIZE_MAX)).is_ok());
    let refused = manifest::read_text(&padded(manifest::SIZE_MAX + 1)).unwrap_err();
    assert_eq!(
        refused[0].to_string(),
        "manifest: 262145 bytes; expected at most 262144 bytes"
    );
    assert!(manifest::read_text("{").unwrap_err()[0].what.starts_with("not JSON"));
}

#[test]
fn gates_count_when_the_data_shows_them() {
    let mut manifest = full();
    manifest["pages"][0]["components"][0]["config"] = json!({ "action": "command", "fields": [
        { "name": "command", "type": "select" },
        { "name": "sure", "type": "checkbox", "security_gate": true, "visible_when": { "command": ["sync", "fix"] } } ] });
    let read = manifest::read(&manifest, 0).unwrap();
    let asked = |command: Value| {
        read.declared_for("job-form", "command", &[("command".to_owned(), command)].into())
            .unwrap()
    };
    assert_eq!(
        (asked(json!("fix")).safety, asked(json!("fix")).gates.len()),
        (Safety::Destructive, 1)
    );
    assert_eq!(asked(json!("status")).safety, Safety::Write);
    for (component, action, safety) in [
        ("drives", "wipe", Some(Safety::Destructive)),
        ("drives", "locate_drive", Some(Safety::Write)),
        ("drives", "light", Some(Safety::Write)),
        ("drives", "refresh_list", Some(Safety::Read)),
        ("drives", "park", Some(Safety::Write)),
        ("drives", "delete", Some(Safety::Destructive)),
        ("jobs", "cancel", Some(Safety::Write)),
        ("deploy", "rotate-psk", Some(Safety::Write)),
        ("found", "expand", Some(Safety::Destructive)),
        ("drives", "start_job", None),
        ("nowhere", "wipe", None),
    ] {
        let found = read.declared(component, action).map(|declared| declared.safety);
        assert_eq!(found, safety, "{component} {action}");
    }
}

/// A manifest of one component.
fn with(kind: &str, config: &Value) -> Value {
    json!({ "name": "n", "version": "1", "pages": [{ "id": "p", "title": "t", "components": [
        { "type": kind, "id": "c", "config": config }] }] })
}

#[test]
fn an_action_is_as_grave_as_the_table_says_by_each_road() {
    let cases = case_file("safety.json");
    let mut wrong = Vec::new();
    for case in cases.as_array().unwrap() {
        let is = &case["is"];
        let manifest = match case["as"].as_str().unwrap() {
            "row" => with("smart-table", &json!({ "bulk_actions": [is] })),
            "button" => with("smart-table", &json!({ "columns": [{ "key": "k", "actions": [is] }] })),
            "form" => with("form", is),
            "cancel" => with("progress", &json!({ "cancel": is })),
            other => panic!("{other}"),
        };
        let read = manifest::read(&manifest, 0).unwrap();
        let want: Option<Safety> = serde_json::from_value(case["safety"].clone()).unwrap();
        let asked = case["asked"].as_str().unwrap();
        let found = read.declared("c", asked).map(|declared| declared.safety);
        let called = read.declared_call(&format!("/api/{asked}"));
        let paths = read.declared_paths();
        if (found, called) != (want, want) || paths.iter().any(|path| Some(path.safety) != want) {
            wrong.push(format!("{case}: {found:?}, called {called:?}, {paths:?}"));
        }
    }
    assert!(cases.as_array().unwrap().len() >= 60 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_a_column_and_a_row_both_declare_counts_as_the_gravest() {
    let of = |row: &str, column: &str| {
        let config = json!({ "row_actions": [{ "id": "forget", "safety": row }],
            "columns": [{ "key": "k", "actions": [{ "type": "forget", "safety": column }] }] });
        let read = manifest::read(&with("smart-table", &config), 0).unwrap();
        read.declared("c", "forget").unwrap().safety
    };
    assert_eq!(of("write", "destructive"), Safety::Destructive);
    assert_eq!(of("destructive", "write"), Safety::Destructive);
    assert_eq!(of("read", "write"), Safety::Write);
}

#[test]
fn the_schema_is_fresh() {
    let fresh = format!("{}\n", serde_json::to_string_pretty(&manifest::schema()).unwrap());
    let path = here("bindings/manifest.schema.json");
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == fresh,
        "bindings/manifest.schema.json is stale: KILN_BLESS=1 cargo test -p wire --test manifest"
    );
}

#[test]
fn the_reference_for_people_is_fresh() {
    let path = here("PROTOCOL.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let marker = "<!-- reference: KILN_BLESS=1 cargo test -p wire --test manifest -->\n";
    let (front, kept) = text.split_once(marker).unwrap();
    let fresh = format!("\n{}", manifest::reference().trim_end());
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, format!("{front}{marker}{fresh}\n")).unwrap();
    } else {
        assert!(
            kept.trim_end() == fresh,
            "PROTOCOL.md is stale: KILN_BLESS=1 cargo test -p wire --test manifest"
        );
    }
}

#[test]
fn an_independent_validator_judges_as_the_reader_does() {
    let schema = manifest::schema();
    let mut cases = vec![
        json!({ "name": "the document's example", "value": case_file("manifest-vigil.json"), "good": true }),
        json!({ "name": "every name", "value": full(), "good": true }),
        json!({ "name": "no object", "value": [], "good": false }),
    ];
    for case in case_file("manifest.json").as_array().unwrap() {
        let good = case.get("flaw").is_none() || case["rust_only"] == true;
        cases.push(json!({ "name": case.to_string(), "value": changed(case), "good": good }));
    }
    for (name, taken, refused, says) in boundaries() {
        cases.push(json!({ "name": format!("{name}, at the limit"), "value": taken, "good": true }));
        cases.push(json!({ "name": format!("{name}, past the limit"), "value": refused, "good": !says }));
    }
    let spawned = Command::new("python3")
        .arg(here("tests/validate.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: manifests by an independent validator: python3 is not here"
        )
        .unwrap();
        return;
    };
    let input = json!({ "schema": schema, "cases": cases }).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(3) {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: manifests by an independent validator: {told}"
        )
        .unwrap();
        return;
    }
    assert!(output.status.success(), "{told}");
}

/// A manifest of one form with this field, whose action is `go`.
fn asking(field: &Value) -> Value {
    with(
        "form",
        &json!({ "action": "go", "fields": [{ "name": "first" }, field] }),
    )
}

#[test]
fn what_existing_servers_take_is_taken_without_what_cannot_be_read() {
    let table = |config: Value| with("smart-table", &config);
    let chart = |config: Value| with("chart", &config);
    let button = |more: Value| {
        let mut button = json!({ "id": "go" });
        button
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        table(json!({ "row_actions": [{ "id": "stays" }, button] }))
    };
    let field = |key: &str, value: Value| asking(&json!({ "name": "x", key: value }));
    // What comes, what of its component's config is left of it, and how many lines tell of it.
    let plain = asking(&json!({ "name": "x" }));
    let stays = table(json!({ "row_actions": [{ "id": "stays" }] }));
    let empty = json!({});
    for (sent, kept, lines) in [
        (field("type", json!("password")), plain.clone(), 1),
        (field("type", json!("textarea")), plain.clone(), 1),
        (field("type", json!("")), plain.clone(), 0),
        (field("type", json!("Checkbox")), field("type", json!("checkbox")), 0),
        (field("source", json!("")), plain.clone(), 0),
        (field("source", json!("/agents")), plain.clone(), 1),
        (field("depends_on", json!("")), plain.clone(), 0),
        (field("depends_on", json!("nothing")), plain.clone(), 1),
        (field("visible_when", json!("")), plain.clone(), 0),
        (field("visible_when", json!("nothing=1")), plain.clone(), 1),
        (field("visible_when", json!("=")), plain.clone(), 1),
        (field("live_calculation", json!("")), plain.clone(), 0),
        (field("live_calculation", json!("first first")), plain.clone(), 1),
        (field("live_calculation", json!("x + 1")), plain.clone(), 1),
        (field("min", json!("0")), plain.clone(), 1),
        (
            field("security_gate", Value::Null),
            field("security_gate", Value::Null),
            0,
        ),
        (
            with("form", &json!({ "action": "", "safety": "" })),
            with("form", &empty),
            0,
        ),
        (
            table(json!({ "page_size": 0, "expand_key": "", "key_field": "" })),
            table(empty.clone()),
            0,
        ),
        (
            table(json!({ "default_sort": "id", "columns": ["a", "", 5] })),
            table(json!({ "columns": ["a"] })),
            3,
        ),
        (
            button(json!({ "action": { "method": "delete", "endpoint": "/api/x" } })),
            button(json!({ "action": { "method": "DELETE", "endpoint": "/api/x" } })),
            0,
        ),
        (
            button(json!({ "action": { "method": "FETCH", "endpoint": "/api/x" } })),
            stays.clone(),
            1,
        ),
        (button(json!({ "action": { "endpoint": "/x" } })), stays.clone(), 1),
        (button(json!({ "visible_when": "a~b" })), stays.clone(), 1),
        (button(json!({ "confirm": "Sure?" })), stays.clone(), 1),
        (
            with("progress", &json!({ "multi": true, "cancel": { "endpoint": "/jobs" } })),
            with("progress", &json!({ "multi": true })),
            1,
        ),
        (
            chart(json!({ "maxPoints": 0, "time_range": "" })),
            chart(empty.clone()),
            0,
        ),
        (
            chart(json!({ "time_range": "1w", "datasets": [{ "key": "a", "yAxis": "y1" }, { "label": "b" }] })),
            chart(json!({ "datasets": [{ "key": "a" }] })),
            3,
        ),
        (
            with("log-viewer", &json!({ "max_lines": 0 })),
            with("log-viewer", &empty),
            0,
        ),
        (
            with("config-card", &json!({ "link_page": "nowhere" })),
            with("config-card", &empty),
            1,
        ),
        (
            with("discovery-card", &json!({ "target_table": "" })),
            with("discovery-card", &empty),
            0,
        ),
        (
            with(
                "deploy-wizard",
                &json!({ "binary": { "install_url": "/x", "platforms": ["a"] }, "prefill_endpoint": "/deploy-info" }),
            ),
            with(
                "deploy-wizard",
                &json!({ "binary": { "install_url": "/x", "platforms": ["a"] } }),
            ),
            1,
        ),
    ] {
        let taken = manifest::take(&sent.to_string()).unwrap_or_else(|flaws| panic!("{sent}: {flaws:?}"));
        assert_eq!(serde_json::from_str::<Value>(&taken.text).unwrap(), kept, "{sent}");
        assert_eq!(taken.flaws.len(), lines, "{sent}: {:?}", taken.flaws);
    }
    let twice = with(
        "form",
        &json!({ "fields": [{ "name": "a", "min": 1 }, { "name": "a" }, { "name": "b" }] }),
    );
    let taken = manifest::take(&twice.to_string()).unwrap();
    let left = with(
        "form",
        &json!({ "fields": [{ "name": "a", "min": 1 }, { "name": "b" }] }),
    );
    assert_eq!(
        (serde_json::from_str(&taken.text).unwrap(), taken.flaws.len()),
        (left, 1)
    );
}

#[test]
fn what_existing_servers_refuse_and_what_a_gate_hangs_on_is_refused_as_before() {
    let field = |key: &str, value: Value| asking(&json!({ "name": "x", key: value }));
    let button = |key: &str, value: Value| with("smart-table", &json!({ "row_actions": [{ "id": "go", key: value }] }));
    let wizard = |config: Value| with("deploy-wizard", &config);
    for (sent, path) in [
        (
            json!({ "name": "n", "version": "", "pages": [{ "id": "p", "title": "t" }] }),
            "version",
        ),
        (json!({ "name": "n", "version": "1", "pages": [] }), "pages"),
        (
            json!({ "name": "n", "version": "1", "pages": [{ "id": "p", "title": "" }] }),
            "pages[0].title",
        ),
        (with("formular", &json!({})), "pages[0].components[0].type"),
        (with("Form", &json!({})), "pages[0].components[0].type"),
        (
            asking(&json!({ "name": "" })),
            "pages[0].components[0].config.fields[1].name",
        ),
        (
            with("form", &json!({ "safety": "dangerous" })),
            "pages[0].components[0].config.safety",
        ),
        (
            with("form", &json!({ "destructive": "yes" })),
            "pages[0].components[0].config.destructive",
        ),
        (
            field("security_gate", json!("true")),
            "pages[0].components[0].config.fields[1].security_gate",
        ),
        (
            field("required", json!("yes")),
            "pages[0].components[0].config.fields[1].required",
        ),
        (
            field("live_calculation", json!("a;b")),
            "pages[0].components[0].config.fields[1].live_calculation",
        ),
        (
            field("options", json!([{ "value": 5 }])),
            "pages[0].components[0].config.fields[1].options[0].value",
        ),
        (
            button("safety_tier", json!("rot")),
            "pages[0].components[0].config.row_actions[0].safety_tier",
        ),
        (
            with(
                "form",
                &json!({ "fields": [{ "name": "a", "type": "checkbox", "security_gate": true }, { "name": "a" }] }),
            ),
            "pages[0].components[0].config.fields[0].name",
        ),
        (
            with("discovery-card", &json!({ "poll_interval_seconds": 14 })),
            "pages[0].components[0].config.poll_interval_seconds",
        ),
        (wizard(json!({})), "pages[0].components[0].config"),
        (
            wizard(json!({ "docker": { "image": "", "platforms": ["a"] } })),
            "pages[0].components[0].config.docker.image",
        ),
        (
            wizard(json!({ "docker": { "image": "a", "platforms": [] } })),
            "pages[0].components[0].config.docker.platforms",
        ),
        (
            wizard(json!({ "binary": { "install_url": "/x", "platforms": ["a"] }, "prefill_endpoint": "deploy-info" })),
            "pages[0].components[0].config.prefill_endpoint",
        ),
    ] {
        let flaws = manifest::take(&sent.to_string()).unwrap_err();
        assert!(flaws.iter().any(|flaw| flaw.path == path), "{sent}: {flaws:?}");
    }
    for (name, _, refused, _) in boundaries() {
        assert!(manifest::take(&refused.to_string()).is_err(), "{name}");
    }
    let double = r#"{"name":"n","version":"1","pages":[{"id":"p","title":"t","icon":"","icon":"a"}]}"#;
    assert!(manifest::take(double).unwrap_err()[0].what.contains("again"));
    let many = with("smart-table", &json!({ "columns": vec![5; 101] }));
    assert!(manifest::take(&many.to_string()).is_err(), "more than anybody reads");
}

#[test]
fn a_form_whose_gate_cannot_be_ticked_is_as_grave_as_one_that_can() {
    for kind in [
        json!("text"),
        json!("password"),
        json!(""),
        json!("Select"),
        Value::Null,
    ] {
        let sent = asking(&json!({ "name": "x", "type": kind, "security_gate": true }));
        let taken = manifest::take(&sent.to_string()).unwrap();
        assert!(
            taken.flaws.iter().any(|flaw| flaw.what == "the field cannot be ticked"),
            "{:?}",
            taken.flaws
        );
        let declared = taken.manifest.declared("c", "go").unwrap();
        assert_eq!(
            (declared.safety, declared.gates),
            (Safety::Destructive, Vec::new()),
            "{kind}"
        );
        assert_eq!(taken.manifest.declared_call("/api/go"), Some(Safety::Destructive));
    }
    let ticked = asking(&json!({ "name": "x", "type": "CHECKBOX", "security_gate": true }));
    let declared = manifest::take(&ticked.to_string())
        .unwrap()
        .manifest
        .declared("c", "go")
        .unwrap();
    assert_eq!(
        (declared.safety, declared.gates),
        (Safety::Destructive, vec!["x".to_owned()])
    );
}

#[test]
fn what_is_left_out_makes_nothing_milder_that_is_still_declared() {
    let table = |config: Value| with("smart-table", &config);
    let mild = json!({ "id": "rebuild_some", "action": "rebuild", "safety_tier": "yellow" });
    let grave = |key: &str, value: Value| {
        let mut button = json!({ "id": "rebuild_pool", "action": "rebuild", "safety_tier": "red" });
        button[key] = value;
        button
    };
    let gated = json!({ "fields": [{ "name": "ok", "type": "checkbox", "security_gate": true }] });
    let path = |path: &str, more: Value| {
        let mut button = json!({ "id": path, "action": { "endpoint": path } });
        button
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        button
    };
    let at = "pages[0].components[0].config";
    for (config, place) in [
        (
            json!({ "row_actions": [grave("confirm", json!("Sure?"))], "bulk_actions": [mild] }),
            "row_actions[0]",
        ),
        (
            json!({ "row_actions": [grave("hidden", json!("no"))], "bulk_actions": [mild] }),
            "row_actions[0]",
        ),
        (
            json!({ "row_actions": { "first": grave("label", json!("x")) }, "bulk_actions": [mild] }),
            "row_actions.first",
        ),
        (
            json!({ "row_actions": [{ "id": "r", "action": "rebuild", "visible_when": "a~b", "form": gated }],
                "bulk_actions": [mild] }),
            "row_actions[0]",
        ),
        (
            json!({ "columns": [{ "actions": [{ "type": "rebuild", "destructive": true }] }], "bulk_actions": [mild] }),
            "columns[0].actions[0]",
        ),
        (
            json!({ "row_actions": [path("/api/disks/{row.name}", json!({ "confirm": "Sure?", "destructive": true })),
                path("/api/disks/sda", json!({}))] }),
            "row_actions[0]",
        ),
        (
            json!({ "row_actions": [grave("confirm", json!("Sure?")), path("/api/Rebuild", json!({}))] }),
            "row_actions[0]",
        ),
    ] {
        let flaws = manifest::take(&table(config.clone()).to_string()).unwrap_err();
        assert_eq!(flaws[0].path, format!("{at}.{place}"), "{config}: {flaws:?}");
        assert!(flaws[0].expected.contains("destructive"), "{flaws:?}");
    }
    // Nothing else declares it, or what does is as grave.
    for config in [
        json!({ "row_actions": [grave("confirm", json!("Sure?"))], "bulk_actions": [{ "id": "other" }] }),
        json!({ "row_actions": [grave("confirm", json!("Sure?"))],
            "bulk_actions": [{ "id": "rebuild", "safety": "destructive" }] }),
        json!({ "row_actions": [grave("label", json!(5))], "bulk_actions": [mild] }),
        json!({ "row_actions": [path("/api/{a}-b", json!({ "destructive": true })), path("/api/x-{b}", json!({ "label": 5 }))] }),
    ] {
        manifest::take(&table(config.clone()).to_string()).unwrap_or_else(|flaws| panic!("{config}: {flaws:?}"));
    }
}

#[test]
fn what_is_dropped_as_a_whole_says_how_grave_it_is_from_whatever_json() {
    let refused = |config: &Value| {
        let flaws = manifest::take(&with("smart-table", config).to_string())
            .err()
            .unwrap_or_else(|| panic!("{config} was taken"));
        assert!(
            flaws[0].what.starts_with("it cannot be taken, and without it"),
            "{config}: {flaws:?}"
        );
    };
    for key in ["row_actions", "bulk_actions"] {
        for lost in [
            json!([[{ "id": "go", "safety": "destructive" }]]),
            json!([[[{ "id": "go", "destructive": true }]]]),
            json!({ "0": { "id": "go", "destructive": 1 } }),
            json!({ "0": { "id": "go", "safety": "Destruktiv" } }),
            json!({ "0": { "id": "go", "safety_tier": ["red"] } }),
            json!({ "go": { "safety": "destructive" } }),
            json!({ "destructive": true, "all": [{ "id": "go" }] }),
            json!({ "all": [{ "id": "go", "form": { "fields": [{ "key": "sure", "security_gate": "yes" }] } }] }),
            json!([{ "id": 5, "action": "go", "safety": "destructive" }]),
            json!([[{ "id": "x", "action": { "endpoint": "/api/GO" }, "destructive": "yes" }]]),
            json!([{ "id": "x", "action": ["go"], "destructive": true }]),
            json!({ "confirm": { "id": "go", "destructive": true } }),
            json!({ "action": { "id": "go", "destructive": true } }),
        ] {
            refused(&json!({ key: lost, "toolbar_actions": [{ "id": "go" }] }));
        }
    }
    refused(
        &json!({ "columns": { "a": { "actions": [{ "type": "go", "safety": "destructive" }] } },
        "toolbar_actions": [{ "id": "go" }] }),
    );
    // A name is what it says, blanks and all.
    refused(
        &json!({ "row_actions": [[{ "id": " go ", "destructive": true }]], "toolbar_actions": [{ "id": " go " }] }),
    );
    // A look is asked for without being declared.
    refused(
        &json!({ "row_actions": [{ "id": "x", "confirm": "Sure?", "destructive": true,
        "action": { "method": "get", "endpoint": "/api/reset" } }] }),
    );
    let whole = json!([{ "toolbar_actions": [{ "id": "go", "destructive": true }] }]);
    let mut two = with("smart-table", &whole);
    two["pages"][0]["components"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "smart-table", "id": "d", "title": "D", "config": { "row_actions": [{ "id": "go" }] } }));
    assert!(manifest::take(&two.to_string()).is_err(), "a config in a list");
    // Nothing of it is graver than what stays.
    for lost in [
        json!([[{ "id": "go" }]]),
        json!({ "0": { "id": "go", "destructive": false, "safety": "WRITE", "safety_tier": "" } }),
        json!({ "0": { "id": "stop", "destructive": true } }),
    ] {
        let config = json!({ "row_actions": lost, "toolbar_actions": [{ "id": "go" }] });
        let taken = manifest::take(&with("smart-table", &config).to_string());
        assert!(taken.is_ok(), "{config}: {taken:?}");
    }
}

#[test]
fn a_tick_of_a_button_that_is_left_out_is_not_lost() {
    let form = json!({ "fields": [{ "key": "sure", "type": "checkbox", "security_gate": true }] });
    let lost = json!({ "id": "wipe_one", "action": "wipe_disk", "confirm": "Really?", "form": form });
    let take = |lost: &Value, kept: Value| {
        let config = json!({ "row_actions": [lost], "bulk_actions": [kept] });
        manifest::take(&with("smart-table", &config).to_string())
    };
    let flaws = take(&lost, json!({ "id": "wipe_all", "action": "wipe_disk" })).unwrap_err();
    assert_eq!(flaws[0].path, "pages[0].components[0].config.row_actions[0]");
    assert!(flaws[0].what.contains("\"wipe_disk\" would not ask all"), "{flaws:?}");
    let other =
        json!({ "fields": [{ "key": "sure", "type": "checkbox", "security_gate": true, "visible_when": "a=b" }] });
    assert!(take(&lost, json!({ "id": "wipe_all", "action": "wipe_disk", "form": other })).is_err());
    let filled = json!({ "id": "x", "action": "wipe_disk", "confirm": "Really?",
        "form": { "fields": [{ "key": "a", "default": "b" }] } });
    assert!(
        take(
            &filled,
            json!({ "id": "wipe_all", "action": "wipe_disk", "form": other })
        )
        .is_err(),
        "what is there at first opens the gate of the other"
    );
    for kept in [
        json!({ "id": "wipe_all", "action": "wipe_disk", "form": form }),
        json!({ "id": "wipe_all" }),
    ] {
        let taken = take(&lost, kept.clone());
        assert!(taken.is_ok(), "{kept}: {taken:?}");
    }
}

#[test]
fn a_manifest_of_thousands_of_buttons_is_taken_about_as_fast_as_it_is_read() {
    let buttons = |path: &str| {
        let all =
            (0..4800).map(|n| json!({ "id": format!("b{n}"), "action": { "endpoint": format!("/api/{path}{n}") } }));
        all.collect::<Vec<_>>()
    };
    let flawed = json!({ "id": "z", "action": { "endpoint": "/api/c/{a}" }, "destructive": true, "hidden": "no" });
    // Nanoseconds that this thread computed: what else a busy machine does is none of it.
    let worked = || {
        let counted = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        counted.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let time = |config: Value| {
        let text = with("smart-table", &config).to_string();
        assert!(text.len() <= manifest::SIZE_MAX);
        let before = worked();
        (manifest::take(&text).is_ok(), worked() - before)
    };
    let (is_taken, read) = time(json!({ "toolbar_actions": buttons("b") }));
    assert!(is_taken);
    let (is_taken, in_part) = time(json!({ "toolbar_actions": buttons("b/"), "row_actions": [flawed] }));
    assert!(is_taken);
    // Hundreds of times as long where each button is looked for among all.
    assert!(in_part < read * 40, "{in_part} ns, and {read} ns without a flaw");
}

#[test]
fn what_a_gate_hangs_on_keeps_its_limits_or_the_manifest_is_refused() {
    let form = |field: &Value, when: Value| {
        let fields = json!([field, { "name": "ok", "type": "checkbox", "security_gate": true, "visible_when": when }]);
        with("form", &json!({ "action": "go", "fields": fields }))
    };
    for (key, value) in [
        ("type", json!("switch")),
        ("type", json!("radio")),
        ("min", json!("1")),
        ("max", json!("1")),
        ("step", json!("few")),
        ("visible_when", json!(5)),
    ] {
        let mut field = json!({ "name": "how", "options": [{ "value": "all" }] });
        field[key] = value;
        let flaws = manifest::take(&form(&field, json!("how=all")).to_string()).unwrap_err();
        let place = format!("pages[0].components[0].config.fields[0].{key}");
        assert!(flaws.iter().any(|flaw| flaw.path == place), "{flaws:?}");
        field["name"] = json!("other");
        let fields = json!([field, { "name": "how" },
            { "name": "ok", "type": "checkbox", "security_gate": true, "visible_when": { "how": "all" } }]);
        let free = with("form", &json!({ "action": "go", "fields": fields }));
        manifest::take(&free.to_string()).unwrap_or_else(|flaws| panic!("{free}: {flaws:?}"));
    }
    // A gate may hang on a field by way of another's formula, or of a condition that says which of two it is.
    for (count, total) in [
        (
            json!({ "type": "number", "min": "5" }),
            json!({ "live_calculation": "half * 2" }),
        ),
        (json!({ "type": "zahl" }), json!({ "visible_when": "count=1" })),
    ] {
        let named = |name: &str, of: &Value| {
            let mut field = of.clone();
            field["name"] = json!(name);
            field
        };
        let fields = json!([named("count", &count), named("total", &total), { "name": "half", "live_calculation": "count / 2" },
            { "name": "sure", "type": "checkbox", "security_gate": true, "visible_when": "total>=10" }]);
        let sent = with("form", &json!({ "action": "go", "fields": fields }));
        let flaws = manifest::take(&sent.to_string()).unwrap_err();
        assert!(flaws.iter().any(|flaw| flaw.path.contains("fields[0]")), "{flaws:?}");
    }
    let fields = json!([{ "name": "how" }, { "name": "how", "type": "select", "options": [{ "value": "all" }] },
        { "name": "ok", "type": "checkbox", "security_gate": true, "visible_when": "how=all" }]);
    let twice = with("form", &json!({ "action": "go", "fields": fields }));
    assert!(
        manifest::take(&twice.to_string()).is_err(),
        "one of two of the same name"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z/]{0,8}|.{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let name = "[a-z]{1,6}|type|id|name|config|fields|visible_when|source|columns";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn one_of(all: Vec<Value>) -> impl Strategy<Value = Value> {
    prop::sample::select(all)
}

/// Some of these names, each with what it says; null where it says nothing.
fn object(names: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = names.into_iter().unzip();
    let object = values.prop_map(move |values| {
        let said = names.iter().zip(values).filter(|(_, value)| !value.is_null());
        Value::Object(said.map(|(name, value)| ((*name).to_owned(), value)).collect())
    });
    object.boxed()
}

/// Manifests in which few names and paths are declared in many places, each as grave as it likes.
fn twinned() -> impl Strategy<Value = Value> {
    let some = |all: Value| one_of(all.as_array().unwrap().clone()).boxed();
    let safety = || some(json!([null, null, "read", "write", "destructive"]));
    let path = || some(json!(["/api/go", "/api/{a}", "/api/x/{a}", "/api/x/y"]));
    let method = || some(json!([null, "GET", "POST", "DELETE"]));
    let name = || some(json!(["go", "Go", "look", "wipe", "status"]));
    let gate = |when: Value| json!({ "key": "sure", "type": "checkbox", "security_gate": true, "visible_when": when });
    let form = some(
        json!([null, null, { "fields": [{ "key": "a", "default": "b" }] }, { "fields": [gate(Value::Null)] },
        { "sections": [{ "fields": [gate(json!("a=b"))] }] }]),
    );
    let request = object(vec![("method", method()), ("endpoint", path())]);
    let button = object(vec![
        ("id", name()),
        ("label", some(json!([null, "Go"]))),
        ("action", prop_oneof![Just(Value::Null), name(), request].boxed()),
        ("confirm", some(json!([null, { "title": "Sure?" }]))),
        ("hidden", some(json!([null, false]))),
        ("safety", safety()),
        ("safety_tier", some(json!([null, null, "green", "yellow", "red"]))),
        ("destructive", some(json!([null, null, true, false]))),
        ("form", form),
    ]);
    let list = |of: BoxedStrategy<Value>| proptest::collection::vec(of, 0..3).prop_map(Value::from).boxed();
    let of_column = object(vec![
        ("type", name()),
        ("id_key", some(json!([null, "a"]))),
        ("safety", safety()),
    ]);
    let column = object(vec![("key", some(json!(["a"]))), ("actions", list(of_column))]);
    let config = object(vec![
        ("columns", list(column)),
        ("row_actions", list(button.clone())),
        ("toolbar_actions", list(button.clone())),
        ("bulk_actions", list(button)),
    ]);
    let cancel = object(vec![
        ("endpoint", prop_oneof![Just(Value::Null), path()].boxed()),
        ("method", some(json!([null, "POST", "DELETE"]))),
        ("action", prop_oneof![Just(Value::Null), name()].boxed()),
    ]);
    let fields = some(json!([[], [{ "name": "sure", "type": "checkbox", "security_gate": true }]]));
    let variable = object(vec![
        ("source", some(json!(["literal"]))),
        ("secret", some(json!([true]))),
        ("rotate_action", name()),
    ]);
    let configs = vec![
        config.clone(),
        config,
        object(vec![("multi", some(json!([true]))), ("cancel", cancel)]),
        object(vec![("action", name()), ("fields", fields), ("safety", safety())]),
        object(vec![("expand_endpoint", path())]),
        variable,
    ];
    configs.prop_map(|configs| {
        let kinds = ["smart-table", "smart-table", "progress", "form", "discovery-card", "deploy-wizard"];
        let all = configs.into_iter().zip(kinds).enumerate().map(|(at, (config, kind))| {
            let config = match kind {
                "deploy-wizard" => json!({ "docker": { "image": "i", "platforms": ["a"], "environment": { "KEY": config } } }),
                _ => config,
            };
            json!({ "type": kind, "id": format!("c{at}"), "config": config })
        });
        json!({ "name": "n", "version": "1", "pages": [{ "id": "p", "title": "t", "components": all.collect::<Vec<_>>() }] })
    })
}

/// Puts something flawed in one place of a manifest, which still says of every action which it is and how grave.
fn flaw(manifest: &mut Value, at: prop::sample::Index, how: u8, value: Value) {
    // What says so; that it counts wherever it stands is another test's.
    let names = [
        "id",
        "action",
        "type",
        "name",
        "method",
        "endpoint",
        "form",
        "cancel",
        "enabled",
        "expand_endpoint",
    ];
    let grave = ["safety", "safety_tier", "destructive", "security_gate", "rotate_action"];
    let mut found = Vec::new();
    places(manifest, "", &mut found);
    found.retain(|place| {
        let name = place.rsplit('/').next().unwrap();
        let holds = manifest
            .pointer(place)
            .is_some_and(|part| part.is_object() || part.is_array());
        place.contains("/config")
            && !place.contains("/form/")
            && (holds || !names.contains(&name) && !grave.contains(&name))
    });
    let place: &String = at.get(&found);
    // Elsewhere a map is one with names of its own, which are tolerated.
    let is_list = place.ends_with("actions") || place.ends_with("columns");
    let place = manifest.pointer_mut(place).unwrap();
    *place = match (place.take(), how) {
        (Value::Array(items), 0) if is_list => Value::Object(
            items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (at.to_string(), item))
                .collect(),
        ),
        (holder @ (Value::Array(_) | Value::Object(_)), 1) => json!([holder]),
        (Value::Object(mut holder), 2) => {
            for key in ["key", "source", "confirm", "hidden", "id_key", "secret"] {
                if let Some(said) = holder.get_mut(key) {
                    *said = json!([5]);
                }
            }
            Value::Object(holder)
        }
        (holder @ (Value::Array(_) | Value::Object(_)), _) => holder,
        _ => value,
    };
}

/// All places of a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, item)| places(item, &format!("{at}/{i}"), found)),
        Value::Object(map) => {
            for (key, item) in map {
                places(
                    item,
                    &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_json_panics(value in any_json(), length in 0usize..300_000) {
        let _ = manifest::read(&value, length);
    }

    #[test]
    fn a_manifest_changed_anywhere_is_read_or_refused_and_reads_again_the_same(
        which in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..3),
    ) {
        let mut manifest = full();
        for (index, value) in which {
            let mut found = Vec::new();
            places(&manifest, "", &mut found);
            let place: &String = index.get(&found);
            *manifest.pointer_mut(place).unwrap() = value;
        }
        match manifest::read(&manifest, 0) {
            Ok(read) => {
                let again = manifest::read(&serde_json::to_value(&read).unwrap(), 0);
                prop_assert_eq!(again.as_ref(), Ok(&read));
            }
            Err(flaws) => prop_assert!(flaws.iter().all(|flaw| flaw.expected != "what the reference says"), "{:?}", flaws),
        }
    }

    #[test]
    fn what_is_taken_of_a_manifest_changed_anywhere_is_taken_again_as_it_is(
        which in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
    ) {
        let mut manifest = full();
        for (index, value) in which {
            let mut found = Vec::new();
            places(&manifest, "", &mut found);
            let place: &String = index.get(&found);
            *manifest.pointer_mut(place).unwrap() = value;
        }
        if let Ok(taken) = manifest::take(&manifest.to_string()) {
            let again = manifest::take(&taken.text).unwrap();
            prop_assert_eq!((&again.manifest, &again.text), (&taken.manifest, &taken.text));
        }
    }

    #[test]
    fn what_is_kept_of_a_manifest_asks_all_that_the_whole_of_it_asked(
        whole in twinned(),
        which in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any_json()), 1..4),
    ) {
        let before = manifest::read(&whole, 0).unwrap();
        let mut manifest = whole;
        for (at, how, value) in which {
            flaw(&mut manifest, at, how, value);
        }
        let Ok(manifest::Taken { manifest: after, flaws, .. }) = manifest::take(&manifest.to_string()) else {
            return Ok(());
        };
        for (component, action) in (0..6).flat_map(|at| ["go", "Go", "look", "wipe", "status", "cancel", "expand"].map(|action| (format!("c{at}"), action))) {
            for data in [json!({}), json!({ "a": "b" }), json!({ "a": "c" })] {
                let data = serde_json::from_value(data).unwrap();
                let asked = |of: &Manifest| of.declared_for(&component, action, &data);
                if let (Some(was), Some(is)) = (asked(&before), asked(&after)) {
                    prop_assert!(is.safety >= was.safety, "{} of {}: {:?} was {:?}; {:?}", action, component, is, was, flaws);
                    prop_assert!(was.gates.iter().all(|gate| is.gates.contains(gate)), "{} of {}: {:?} was {:?}; {:?}", action, component, is, was, flaws);
                    let first = |of: &[Field]| of.iter().find_map(|field| field.default.clone());
                    prop_assert!(is.gates.is_empty() && was.gates.is_empty() || first(&is.asks) == first(&was.asks), "{}: {:?}", action, flaws);
                }
            }
        }
        for path in ["/api/go", "/api/Go", "/api/look", "/api/wipe", "/api/cancel", "/api/expand", "/api/x/y", "/api/x/z", "/api/other"] {
            if let (Some(was), Some(is)) = (before.declared_call(path), after.declared_call(path)) {
                prop_assert!(is >= was, "{}: {:?} was {:?}; {:?}", path, is, was, flaws);
            }
            for method in ["GET", "POST", "DELETE"] {
                let asked = |of: &Manifest| {
                    let call = (method == "POST").then(|| of.declared_call(path)).flatten();
                    let ends = (method == "DELETE").then(|| path.rsplit_once('/')).flatten();
                    let ends = ends.and_then(|(front, _)| of.declared_path(method, front));
                    of.declared_path(method, path).max(call).max(ends)
                };
                // A look that nobody declares is asked for all the same.
                let is = asked(&after).or((method == "GET").then_some(Safety::Read));
                if let (Some(was), Some(is)) = (asked(&before), is) {
                    prop_assert!(is >= was, "{} {}: {:?} was {:?}; {:?}", method, path, is, was, flaws);
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_manifest_or_has_flaws(text in ".{0,200}") {
        let _ = manifest::read_text(&text);
    }
}

#[test]
fn names_nobody_knows_do_no_harm_anywhere() {
    let mut manifest = full();
    let mut found = Vec::new();
    places(&manifest, "", &mut found);
    for place in found {
        if let Some(Value::Object(map)) = manifest.pointer_mut(&place) {
            let free = ["/labels", "/thresholds", "/environment", "/visible_when"]
                .iter()
                .any(|end| place.ends_with(end));
            if !free {
                map.insert("x-own".to_owned(), Value::Object(Map::new()));
            }
        }
    }
    assert_eq!(flaws(&manifest), [""; 0]);
}

#[test]
fn a_name_of_blanks_is_none() {
    for (name, good) in [
        ("a", true),
        (" a ", true),
        ("", false),
        (" ", false),
        ("\u{a0}\t\u{2003}", false),
    ] {
        let text = json!({ "name": name, "version": "1", "pages": [{ "id": "p", "title": "t" }] }).to_string();
        let flaws = manifest::read_text(&text).err().unwrap_or_default();
        assert_eq!(flaws.is_empty(), good, "{name:?}: {flaws:?}");
        assert!(
            flaws.iter().all(|flaw| flaw.to_string().starts_with("name: ")),
            "{flaws:?}"
        );
    }
}

#[test]
fn a_name_has_no_control_characters() {
    for bad in ["evil\r\nBcc: x", "a\u{0}", "a\u{1b}[31m", "a\u{9b}2J", "a\u{7f}"] {
        let mut manifest = full();
        manifest["name"] = bad.into();
        assert_eq!(paths(&manifest), ["name"], "{bad:?}");
    }
}

#[test]
fn two_fields_of_one_name_say_when_each_is_shown() {
    let of = |first: Value, second: Value| {
        let form = json!({ "type": "form", "id": "f", "title": "F", "config": { "action": "go", "fields": [
            { "name": "how", "type": "text" }, first, second ] } });
        flaws(&json!({ "name": "x", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [form] }] }))
    };
    let plain = json!({ "name": "size", "type": "number", "max": 4 });
    let shown = |when: &str| json!({ "name": "size", "type": "number", "visible_when": when });
    for (first, second) in [(plain.clone(), plain.clone()), (plain, shown("how=a"))] {
        let told = of(first, second);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains("fields[1].name: 2 fields are called \"size\""),
            "{told:?}"
        );
    }
    assert_eq!(of(shown("how=a"), shown("how=b")), Vec::<String>::new());
}
