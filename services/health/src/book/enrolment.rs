//! Who may report: tokens that people make, and the agents that came with one.

use wire::{Problem, Time};

use super::{Book, Done, forget};
use crate::enrol::{Agent, Auth, Register, Token};
use crate::tables::{AGENTS, ENROLLED_MAX, HOSTS, NUMBERS, TOKENS};

/// An agent with a new session.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Number.
    pub agent_id: u64,
    /// Host it reports for.
    pub hostname: String,
    /// When the session ends.
    pub ends: Time,
    /// Whether it is a new agent.
    pub is_new: bool,
}

pub(super) fn unknown_agent() -> Problem {
    Problem::new("agent-unknown", 401, "There is no such agent").with("register with a token first")
}

impl Book {
    /// Makes a token; its hash alone is kept.
    ///
    /// # Errors
    /// `full` at [`ENROLLED_MAX`] tokens; the medium.
    pub async fn new_token(&self, name: String, hash: String, now: Time, expires_at: Option<Time>) -> Done<Token> {
        self.change(move |w| {
            if TOKENS.len(w)? >= ENROLLED_MAX {
                return Ok(Err(
                    Problem::new("full", 409, "There are too many tokens").with("take used ones away")
                ));
            }
            let id = NUMBERS.bump(w, "host-token")?;
            let token = Token {
                id,
                name,
                hash,
                created_at: now,
                expires_at,
                used_at: None,
                used_by: None,
            };
            TOKENS.put(w, &id, &token)?;
            Ok(Ok(token))
        })
        .await
    }

    /// All tokens.
    ///
    /// # Errors
    /// The medium.
    pub fn tokens(&self) -> store::Result<Vec<Token>> {
        Ok(self
            .store
            .read(|r| TOKENS.all(r))?
            .into_iter()
            .map(|(_, token)| token)
            .collect())
    }

    /// Takes a token away; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_token(&self, id: u64) -> store::Result<bool> {
        self.store.write(move |w| TOKENS.delete(w, &id)).await
    }

    /// Enrols an agent, or knows it again by its key; `token` and `session` are hashes.
    ///
    /// # Errors
    /// `bad-field` 400, `token-wrong` 401, `fingerprint-taken` 409, `full` 409; the medium.
    pub async fn register(&self, form: Register, token: Option<String>, session: String, now: Time) -> Done<Admitted> {
        form.check()?;
        self.change(move |w| {
            let agents: Vec<Agent> = AGENTS.all(w)?.into_iter().map(|(_, agent)| agent).collect();
            if agents
                .iter()
                .any(|a| a.fingerprint == form.fingerprint && a.public_key != form.public_key)
            {
                return Ok(Err(Problem::new(
                    "fingerprint-taken",
                    409,
                    "This machine is enrolled with another key",
                )
                .with("take the old agent away, or bring its key back")));
            }
            let known = agents.into_iter().find(|a| a.public_key == form.public_key);
            let is_new = known.is_none();
            let mut agent = if let Some(agent) = known {
                // The person's word for another machine under the same key is used up by it.
                if form.signed.is_none() && agent.fingerprint != form.fingerprint {
                    let tokens = TOKENS.all(w)?.into_iter().map(|(_, kept)| kept);
                    for mut kept in tokens.filter(|kept| Some(&kept.hash) == token.as_ref()) {
                        kept.used_at = kept.used_at.or(Some(now));
                        kept.used_by = kept.used_by.or(Some(agent.id));
                        TOKENS.put(w, &kept.id.clone(), &kept)?;
                    }
                }
                agent
            } else {
                let tokens = TOKENS.all(w)?;
                let found = tokens
                    .into_iter()
                    .map(|(_, t)| t)
                    .find(|t| Some(&t.hash) == token.as_ref());
                let wrong =
                    |why: &str| Problem::new("token-wrong", 401, "The registration token is not good").with(why);
                let mut token = match found {
                    None => return Ok(Err(wrong("it is missing, wrong, taken away or has ended"))),
                    Some(t) if t.used_at.is_some() => {
                        return Ok(Err(wrong("it was used already; each admits one agent")));
                    }
                    Some(t) if t.expires_at.is_some_and(|end| end <= now) => {
                        return Ok(Err(wrong("it has expired")));
                    }
                    Some(t) => t,
                };
                if AGENTS.len(w)? >= ENROLLED_MAX {
                    return Ok(Err(
                        Problem::new("full", 409, "There are too many agents").with("take some away")
                    ));
                }
                let id = NUMBERS.bump(w, "host-agent")?;
                token.used_at = Some(now);
                token.used_by = Some(id);
                TOKENS.put(w, &token.id.clone(), &token)?;
                // The person who gave the token says who this host is now.
                if let Some(mut host) = HOSTS.get(w, form.hostname.as_str())? {
                    host.agent_id = id;
                    HOSTS.put(w, form.hostname.as_str(), &host)?;
                }
                Agent::new(id, &form, now)
            };
            // Remembered with the session that it brings, so that it brings no second one.
            if let Some(Err(problem)) = form.signed.as_ref().map(|auth| agent.believe(auth, now)) {
                return Ok(Err(problem));
            }
            agent.fingerprint.clone_from(&form.fingerprint);
            let ends = agent.admit(&session, now);
            AGENTS.put(w, &agent.id, &agent)?;
            Ok(Ok(Admitted {
                agent_id: agent.id,
                hostname: agent.hostname,
                ends,
                is_new,
            }))
        })
        .await
    }

    /// Gives a session for a signature; `session` is a hash.
    ///
    /// # Errors
    /// `bad-field` 400, `clock-off`, `agent-unknown`, `signature-wrong`, `replayed` 401; the medium.
    pub async fn authenticate(&self, auth: Auth, session: String, now: Time) -> Done<Admitted> {
        auth.check(now)?;
        self.change(move |w| {
            let Some(mut agent) = AGENTS.get(w, &auth.agent_id)? else {
                return Ok(Err(unknown_agent()));
            };
            let others = AGENTS.all(w)?;
            if others
                .iter()
                .any(|(id, a)| *id != agent.id && a.fingerprint == auth.fingerprint)
            {
                return Ok(Err(Problem::new(
                    "fingerprint-taken",
                    403,
                    "Another agent has this fingerprint",
                )));
            }
            if let Err(problem) = agent.believe(&auth, now) {
                return Ok(Err(problem));
            }
            let ends = agent.admit(&session, now);
            AGENTS.put(w, &agent.id, &agent)?;
            Ok(Ok(Admitted {
                agent_id: agent.id,
                hostname: agent.hostname,
                ends,
                is_new: false,
            }))
        })
        .await
    }

    /// The agent whose session this is; `session` is a hash.
    ///
    /// # Errors
    /// The medium.
    pub fn agent_of(&self, session: &str, now: Time) -> store::Result<Option<Agent>> {
        let agents = self.store.read(|r| AGENTS.all(r))?;
        Ok(agents
            .into_iter()
            .map(|(_, agent)| agent)
            .find(|agent| agent.has(session, now)))
    }

    /// All agents.
    ///
    /// # Errors
    /// The medium.
    pub fn agents(&self) -> store::Result<Vec<Agent>> {
        Ok(self
            .store
            .read(|r| AGENTS.all(r))?
            .into_iter()
            .map(|(_, agent)| agent)
            .collect())
    }

    /// Takes an agent away with its host and all its drives and histories; its host name, or `None` if there is none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_agent(&self, id: u64) -> store::Result<Option<String>> {
        self.store
            .write(move |w| {
                let Some(agent) = AGENTS.get(w, &id)? else {
                    return Ok(None);
                };
                AGENTS.delete(w, &id)?;
                if HOSTS
                    .get(w, agent.hostname.as_str())?
                    .is_some_and(|host| host.agent_id == id)
                {
                    forget(w, &agent.hostname)?;
                }
                Ok(Some(agent.hostname))
            })
            .await
    }
}
