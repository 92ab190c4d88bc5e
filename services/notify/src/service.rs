//! One channel with everything that is set for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::Time;

use crate::channel::Channel;
use crate::provider::{Fields, provider};
use crate::rule::{BadSetting, Digest, QuietHours, Rule, check_rules};
use crate::send::Attempt;
use crate::url;

/// Channels of one box, at most.
pub const SERVICES_MAX: usize = 50;

/// Groups of drives with rules of their own, of one channel, at most.
pub const GROUPS_MAX: usize = 50;

/// Drives in one group, at most.
const MEMBERS_MAX: usize = 500;

/// First number of a channel that the environment sets; those that people make count from 1.
pub const FIRST_LOCKED: u64 = 1 << 48;

/// Drives that have rules of their own, which are looked at before the channel's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertGroup)]
pub struct Group {
    /// Number.
    pub id: u64,
    /// In words.
    #[serde(default)]
    pub name: String,
    /// Ids or serials of its drives.
    #[serde(default)]
    pub drives: Vec<String>,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One channel, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Number.
    pub id: u64,
    /// As a person calls it.
    pub name: String,
    /// Name of its [`crate::provider::Provider`].
    pub service_type: String,
    /// The form, with its secrets.
    pub fields: Fields,
    /// Whether it is used.
    pub enabled: bool,
    /// Criticals are told unless a rule says otherwise.
    pub notify_on_critical: bool,
    /// Warnings are told unless a rule says otherwise.
    pub notify_on_warning: bool,
    /// Everything else is told unless a rule says otherwise.
    pub notify_on_healthy: bool,
    /// Cool-down where no rule says another; as [`Rule::cooldown_secs`].
    pub cooldown_secs: i64,
    /// 0: it is told at once. Else it is of the second line: told only of warnings and criticals that nobody has acknowledged
    /// for so many seconds, 60 to 86,400.
    #[serde(default)]
    pub escalate_after_secs: i64,
    /// The rules, the first that matches decides.
    pub rules: Vec<Rule>,
    /// Groups of drives with their own.
    pub groups: Vec<Group>,
    /// Quiet hours.
    pub quiet_hours: Option<QuietHours>,
    /// Digest.
    pub digest: Option<Digest>,
    /// When it was made.
    pub created_at: Time,
    /// When anything of it was changed last by a person.
    pub updated_at: Time,
    /// When a change was made last to what a form sets of it; `None` where that is [`Self::updated_at`], as an earlier version kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Time>,
    /// Set by the environment: it cannot be changed here.
    pub locked: bool,
    /// Since when nothing has reached it; `None` while it works.
    pub failing_since: Option<Time>,
    /// Why it switched itself off, or why it cannot be used.
    pub disabled_why: Option<String>,
    /// Criticals that reached nobody through it and were given up, since it worked or was mended.
    #[serde(default)]
    pub lost: u32,
}

/// Shortest and longest time that the first line has, in seconds: a minute to look at a telephone, a day.
pub const ESCALATE: std::ops::RangeInclusive<i64> = 60..=86_400;

/// Whether a channel may be told after so many seconds.
pub(crate) fn check_escalation(seconds: i64) -> Result<(), BadSetting> {
    match seconds == 0 || ESCALATE.contains(&seconds) {
        true => Ok(()),
        false => Err(BadSetting::new(
            "escalate_after_secs",
            format!(
                "expected 0 (told at once), or {} to {} seconds",
                ESCALATE.start(),
                ESCALATE.end()
            ),
        )),
    }
}

impl Service {
    /// A channel of this service with the settings of a new one: criticals and warnings.
    pub fn new(id: u64, name: &str, service_type: &str, fields: Fields, now: Time) -> Self {
        Self {
            id,
            name: name.to_owned(),
            service_type: service_type.to_owned(),
            fields,
            enabled: true,
            notify_on_critical: true,
            notify_on_warning: true,
            notify_on_healthy: false,
            cooldown_secs: 0,
            escalate_after_secs: 0,
            rules: Vec::new(),
            groups: Vec::new(),
            quiet_hours: None,
            digest: None,
            created_at: now,
            updated_at: now,
            set_at: None,
            locked: false,
            failing_since: None,
            disabled_why: None,
            lost: 0,
        }
    }

    /// When a change was made last to what a form sets of it. That it was switched on or off, and whom its groups hold, stands in no form:
    /// one that was open meanwhile takes nothing of it back.
    pub fn set_at(&self) -> Time {
        self.set_at.unwrap_or(self.updated_at)
    }

    /// Whether a form would set the same as in `other`.
    pub(crate) fn is_set_as(&self, other: &Self) -> bool {
        let apart = Self {
            enabled: other.enabled,
            groups: other.groups.clone(),
            updated_at: other.updated_at,
            set_at: other.set_at,
            failing_since: other.failing_since,
            disabled_why: other.disabled_why.clone(),
            lost: other.lost,
            ..self.clone()
        };
        apart == *other
    }

    /// The way to it.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn channel(&self) -> Result<Channel, BadSetting> {
        Channel::read(&self.service_type, &self.fields)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn check(&self) -> Result<(), BadSetting> {
        if !(1..=64).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return Err(BadSetting::new("name", "expected 1 to 64 characters"));
        }
        self.channel()?;
        check_rules(&self.rules)?;
        if !(-1..=31 * 86_400).contains(&self.cooldown_secs) {
            return Err(BadSetting::new(
                "cooldown_secs",
                "expected -1 (once), 0 (always), or seconds up to a month",
            ));
        }
        check_escalation(self.escalate_after_secs)?;
        if self.groups.len() > GROUPS_MAX {
            return Err(BadSetting::new("groups", format!("at most {GROUPS_MAX} are taken")));
        }
        for group in &self.groups {
            check_rules(&group.rules)?;
            if group.drives.len() > MEMBERS_MAX
                || group.drives.iter().any(|drive| drive.is_empty() || drive.len() > 400)
            {
                let what = format!("expected at most {MEMBERS_MAX} ids or serials of at most 400 characters");
                return Err(BadSetting::new("drives", what));
            }
        }
        self.quiet_hours.as_ref().map_or(Ok(()), QuietHours::check)?;
        self.digest.as_ref().map_or(Ok(()), Digest::check)
    }

    /// Switched on: that it failed is forgotten.
    #[must_use]
    pub fn switched_on(self) -> Self {
        Self {
            enabled: true,
            failing_since: None,
            disabled_why: None,
            lost: 0,
            ..self
        }
    }

    /// What a service answered, without the channel's secrets.
    pub(crate) fn scrubbed(&self, mut attempt: Attempt) -> Attempt {
        if let Some(provider) = provider(&self.service_type) {
            attempt.answer = provider.scrubbed(&self.fields, &attempt.answer);
            if let Some(failed) = &mut attempt.failed {
                failed.words = provider.scrubbed(&self.fields, &failed.words);
            }
        }
        attempt
    }

    /// The form as it may be shown.
    pub fn masked(&self) -> Fields {
        provider(&self.service_type).map_or_else(Fields::new, |provider| provider.masked(&self.fields))
    }
}

/// The channels that the environment sets: a list of URLs with commas or blanks between.
///
/// One that cannot be read is a channel that is switched off and says why, so that people see it. They are told of
/// what ends well, too: whoever writes one line into a file wants to know when a burn-in is done.
pub fn locked(list: &str, now: Time) -> Vec<Service> {
    split(list)
        .take(SERVICES_MAX)
        .map(|text| {
            let mut service = locked_one(number(text), "", text, now);
            service.name = format!("{} (kiln.toml)", service.service_type);
            service
        })
        .collect()
}

/// One channel that cannot be changed on the page; see [`locked`].
pub(crate) fn locked_one(id: u64, name: &str, text: &str, now: Time) -> Service {
    let scheme = || text.split("://").next().unwrap_or("").chars().take(20).collect();
    let (service_type, fields, why): (String, _, _) = match url::channel(text) {
        Ok((service, fields)) => (service.to_owned(), fields, None),
        Err(bad) if text.contains("://") => (scheme(), Fields::new(), Some(bad.to_string())),
        // Without a scheme its beginning may be a secret.
        Err(bad) => (String::new(), Fields::new(), Some(bad.to_string())),
    };
    let mut service = Service::new(id, name, &service_type, fields, now);
    service.locked = true;
    service.enabled = why.is_none();
    service.disabled_why = why;
    service.rules = vec![Rule {
        event_type: "job.passed".to_owned(),
        enabled: true,
        cooldown_secs: 0,
        min_severity: None,
        drive: None,
        job: None,
        workspace: None,
    }];
    service
}

/// URLs of a list. A comma separates only where a scheme follows it: lists of recipients have commas too.
fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split_whitespace().flat_map(|part| {
        let mut starts = vec![0];
        for (at, _) in part.match_indices(',') {
            let rest = &part[at + 1..];
            let scheme = rest.split("://").next().unwrap_or("");
            let begins = rest.contains("://")
                && !scheme.is_empty()
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
            if begins {
                starts.push(at + 1);
            }
        }
        starts.push(part.len() + 1);
        starts
            .windows(2)
            .map(|pair| part[pair[0]..pair[1] - 1].trim_end_matches(','))
            .filter(|one| !one.is_empty())
            .collect::<Vec<_>>()
    })
}

/// A number that stays the same for the same URL: what waits for it is found again after a restart.
pub(crate) fn number(text: &str) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    // 40 bits: two of fifty URLs are the same once in a billion boxes, and JavaScript's numbers are exact to 2^53.
    let low = digest
        .as_ref()
        .iter()
        .take(5)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    FIRST_LOCKED + low
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_list_of_urls_becomes_channels_that_keep_their_numbers() {
        let now = Time::UNIX_EPOCH;
        let list = "ntfy://bench,mailtos://a:b@example.org?to=c@d.e,f@g.h gotify://nas/T, discord://geheim";
        let services = locked(list, now);
        let types: Vec<&str> = services.iter().map(|service| service.service_type.as_str()).collect();
        assert_eq!(types, ["ntfy", "email", "gotify", "discord"]);
        assert_eq!(services[1].fields["to"], "c@d.e,f@g.h");
        assert!(services[0].check().is_ok());
        let bad = &services[3];
        assert!(
            !bad.enabled && bad.disabled_why.as_ref().unwrap().contains("path"),
            "{bad:?}"
        );
        assert!(!format!("{bad:?}").contains("geheim"));
        assert_eq!(locked("gotify://nas/T", now)[0].id, services[2].id);
        assert!(
            services
                .iter()
                .all(|service| service.id >= FIRST_LOCKED && service.id < 1 << 53)
        );
        assert!(locked(" , ", now).is_empty());
    }
}
