//! Groups of drives: a name, a colour, and the drives that people put in. Alert channels have rules of their own for a group
//! (`GET /api/notifications/services/{id}/group-rules`); those know its drives by what is said here.

use serde::{Deserialize, Serialize};
use store::{Store, Table};
use utoipa::ToSchema;
use wire::{Problem, Time};

use crate::tables::NUMBERS;

/// The groups, by number.
pub const GROUPS: Table<u64, Group> = Table::new("drive-groups");

/// Most groups. Source: as many as an alert channel takes rules for.
pub const GROUPS_MAX: usize = 50;

/// Most drives of one group.
pub const MEMBERS_MAX: usize = 500;

/// Longest name in characters. Source: Vigil, drive groups.
const NAME_MAX: usize = 64;

/// Longest host name or serial in bytes.
const WORD_MAX: usize = 256;

/// Colour of a group that came without one. Source: Vigil, drive groups.
const COLOR: &str = "#6366f1";

/// A drive of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DriveGroupMember)]
pub struct Member {
    /// Number, within all groups.
    pub id: u64,
    /// The group.
    pub group_id: u64,
    /// The computer that it is in.
    pub hostname: String,
    /// Its serial.
    pub serial_number: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Number.
    pub id: u64,
    /// In words.
    pub name: String,
    /// `#rrggbb`.
    pub color: String,
    /// When it was made.
    pub created_at: Time,
    /// Its drives.
    pub members: Vec<Member>,
}

fn unknown(id: u64) -> Problem {
    Problem::new("group-unknown", 404, "There is no such group").with(format!("id: {id}"))
}

fn check(name: &str, color: &str) -> Result<String, Problem> {
    let bad = |what: String| Problem::new("bad-field", 400, "This cannot be a group of drives").with(what);
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(bad(format!(
            "name: expected 1 to {NAME_MAX} characters, not only blanks, without control characters"
        )));
    }
    if color.is_empty() {
        return Ok(COLOR.to_owned());
    }
    let hex = color.strip_prefix('#').unwrap_or("");
    if !matches!(hex.len(), 3 | 6) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad("color: expected # and six hexadecimal digits".into()));
    }
    Ok(color.to_owned())
}

type Done<T> = Result<T, crate::app::Failure>;

/// All groups, by name.
///
/// # Errors
/// The medium.
pub fn all(store: &Store) -> store::Result<Vec<Group>> {
    let mut groups: Vec<Group> = store
        .read(|r| GROUPS.all(r))?
        .into_iter()
        .map(|(_, group)| group)
        .collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

/// One group.
///
/// # Errors
/// `group-unknown`; the medium.
pub fn one(store: &Store, id: u64) -> Done<Group> {
    Ok(store.read(|r| GROUPS.get(r, &id))?.ok_or_else(|| unknown(id))?)
}

/// Makes a group, or changes the name and colour of `id`.
///
/// # Errors
/// `bad-field`, `group-taken`, `group-unknown`, `too-many`; the medium.
pub async fn put(store: &Store, id: Option<u64>, name: String, color: &str, now: Time) -> Done<Group> {
    let color = check(&name, color)?;
    let put = store.write(move |w| {
        let all = GROUPS.all(w)?;
        if all
            .iter()
            .any(|(other, group)| Some(*other) != id && group.name == name)
        {
            let taken = Problem::new("group-taken", 409, "There is a group of this name");
            return Ok(Err(taken.with(format!("name: {name}"))));
        }
        let mut group = match id {
            None if all.len() >= GROUPS_MAX => {
                let many = Problem::new("too-many", 409, "There are too many groups");
                return Ok(Err(many.with(format!("at most {GROUPS_MAX}"))));
            }
            None => Group {
                id: NUMBERS.bump(w, "drive-group")?,
                name: String::new(),
                color: String::new(),
                created_at: now,
                members: Vec::new(),
            },
            Some(id) => match GROUPS.get(w, &id)? {
                Some(group) => group,
                None => return Ok(Err(unknown(id))),
            },
        };
        (group.name, group.color) = (name, color);
        GROUPS.put(w, &group.id, &group)?;
        Ok(Ok(group))
    });
    Ok(put.await??)
}

/// Takes a group away; false if there was none.
///
/// # Errors
/// The medium.
pub async fn remove(store: &Store, id: u64) -> store::Result<bool> {
    store.write(move |w| GROUPS.delete(w, &id)).await
}

/// Puts a drive into a group, out of the one that it was in. Returns the groups that have changed.
///
/// # Errors
/// `bad-field`, `group-unknown`, `too-many`; the medium.
pub async fn assign(store: &Store, id: u64, hostname: String, serial: String) -> Done<Vec<Group>> {
    for (field, word) in [("hostname", &hostname), ("serial_number", &serial)] {
        if word.trim().is_empty() || word.len() > WORD_MAX {
            let bad = Problem::new("bad-field", 400, "This names no drive");
            return Err(bad.with(format!("{field}: expected 1 to {WORD_MAX} bytes")).into());
        }
    }
    let assigned = store.write(move |w| {
        let Some(mut group) = GROUPS.get(w, &id)? else {
            return Ok(Err(unknown(id)));
        };
        let is_it = |member: &Member| member.hostname == hostname && member.serial_number == serial;
        if group.members.iter().any(is_it) {
            return Ok(Ok(Vec::new()));
        }
        if group.members.len() >= MEMBERS_MAX {
            let many = Problem::new("too-many", 409, "There are too many drives in this group");
            return Ok(Err(many.with(format!("at most {MEMBERS_MAX}"))));
        }
        let mut changed = take_out(w, &is_it)?;
        let member = NUMBERS.bump(w, "drive-group-member")?;
        group.members.push(Member {
            id: member,
            group_id: id,
            hostname,
            serial_number: serial,
        });
        GROUPS.put(w, &id, &group)?;
        changed.push(group);
        Ok(Ok(changed))
    });
    Ok(assigned.await??)
}

/// Takes a drive out of its group. Returns the group, if it was in one.
///
/// # Errors
/// The medium.
pub async fn unassign(store: &Store, hostname: String, serial: String) -> store::Result<Vec<Group>> {
    let out = move |w: &mut store::Write<'_, '_>| {
        take_out(w, &|member| {
            member.hostname == hostname && member.serial_number == serial
        })
    };
    store.write(out).await
}

fn take_out(w: &mut store::Write<'_, '_>, is_it: &impl Fn(&Member) -> bool) -> store::Result<Vec<Group>> {
    let mut changed = Vec::new();
    for (id, mut group) in GROUPS.all(w)? {
        let before = group.members.len();
        group.members.retain(|member| !is_it(member));
        if group.members.len() < before {
            GROUPS.put(w, &id, &group)?;
            changed.push(group);
        }
    }
    Ok(changed)
}
