//! The reference of a manifest for people, made from the same description that checks manifests here.

use std::fmt::Write;

use super::parts::{COMPONENT, COMPONENT_TYPES, MANIFEST};
use super::shape::{Record, Shape};

/// Tables in Markdown: every record with its names, what each must be, and what it means.
pub fn reference() -> String {
    let mut records: Vec<&'static Record> = Vec::new();
    collect(&MANIFEST, &mut records);
    for (_, config) in COMPONENT_TYPES {
        collect(config, &mut records);
    }
    let mut text = String::new();
    for record in records {
        let _ = write!(text, "#### {}\n\n{}", record.name, record.about);
        if !record.any_of.is_empty() {
            let _ = write!(text, " At least one of `{}`.", record.any_of.join("`, `"));
        }
        text.push_str("\n\n| name | must be | what it is |\n|---|---|---|\n");
        for key in record.keys {
            let star = if key.must { " *" } else { "" };
            let _ = writeln!(text, "| `{}`{star} | {} | {} |", key.name, words(&key.shape), key.about);
        }
        text.push('\n');
    }
    text
}

fn collect(record: &'static Record, records: &mut Vec<&'static Record>) {
    if records.iter().any(|other| other.name == record.name) {
        return;
    }
    records.push(record);
    for key in record.keys {
        inner(&key.shape, records);
    }
}

fn inner(shape: &'static Shape, records: &mut Vec<&'static Record>) {
    match shape {
        Shape::Record(record) => collect(record, records),
        Shape::List { of, .. } | Shape::Map { of, .. } => inner(of, records),
        Shape::Either(shapes) => shapes.iter().for_each(|one| inner(one, records)),
        Shape::Text { .. } | Shape::Word(_) | Shape::Form(_) | Shape::Number { .. } | Shape::Flag | Shape::Any => {}
    }
}

fn words(shape: &Shape) -> String {
    match shape {
        Shape::Record(record) if record.name == COMPONENT.name => "a component".to_owned(),
        Shape::Record(record) => record.name.to_owned(),
        Shape::List { of, .. } if !matches!(of, Shape::Any) => format!("{} of: {}", shape.expected(), words(of)),
        Shape::Map { of, .. } if !matches!(of, Shape::Any) => format!("{} of: {}", shape.expected(), words(of)),
        Shape::Either(shapes) => shapes.iter().map(words).collect::<Vec<_>>().join(", or "),
        Shape::List { .. }
        | Shape::Map { .. }
        | Shape::Text { .. }
        | Shape::Word(_)
        | Shape::Form(_)
        | Shape::Number { .. }
        | Shape::Flag
        | Shape::Any => shape.expected(),
    }
}
