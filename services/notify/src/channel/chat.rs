//! Fields of channels to chats: Discord, Telegram, Slack.

use super::form::{Field, Form, header_safe};
use super::{Channel, chat_and_topic};
use crate::rule::BadSetting;

impl Form<'_> {
    pub(super) fn discord(&self) -> Field<Channel> {
        let webhook = self.address("webhook_url", "")?;
        let path = webhook.target.split('?').next().unwrap_or("");
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            [.., "webhooks", id, token] if id.bytes().all(|b| b.is_ascii_digit()) && !token.is_empty() => {}
            _ => {
                let what = "expected https://discord.com/api/webhooks/ID/TOKEN";
                return Err(BadSetting::new("webhook_url", what));
            }
        }
        let thread = self.text("thread_id");
        if !thread.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadSetting::new("thread_id", "expected the thread's number"));
        }
        Ok(Channel::Discord {
            webhook,
            username: self.text("username"),
            avatar: self.text("avatar_url"),
            thread,
        })
    }

    pub(super) fn telegram(&self) -> Field<Channel> {
        let token = self.secret("bot_token");
        let fits = token.0.split_once(':').is_some_and(|(id, secret)| {
            !id.is_empty()
                && id.bytes().all(|b| b.is_ascii_digit())
                && !secret.is_empty()
                && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        });
        if !fits {
            return Err(BadSetting::new(
                "bot_token",
                "expected the bot's token, like 123456789:ABC-def",
            ));
        }
        let chats = self.some("chat_id")?;
        for chat in &chats {
            let (chat, topic) = chat_and_topic(chat);
            if topic.is_some_and(|topic| topic.parse::<u32>().is_err()) {
                return Err(BadSetting::new(
                    "chat_id",
                    "expected a number as the topic behind a chat's colon",
                ));
            }
            let name = chat.strip_prefix('@').is_some_and(|name| !name.is_empty());
            let number = chat.strip_prefix('-').unwrap_or(chat);
            if !name && (number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit())) {
                return Err(BadSetting::new("chat_id", "expected @channel or a number"));
            }
        }
        Ok(Channel::Telegram {
            server: self.address("server_url", "https://api.telegram.org")?,
            token,
            chats,
            thread: self.number("thread_id", 1, i64::MAX)?,
            silent: self.flag("silent"),
            protect: self.flag("protect"),
        })
    }

    pub(super) fn slack(&self) -> Field<Channel> {
        let token = self.secret("bot_token");
        let channels = self.list("channel")?;
        let (server, token) = if token.0.is_empty() {
            if self.text("webhook_url").is_empty() {
                return Err(BadSetting::new("webhook_url", "is needed, or a bot token"));
            }
            (self.address("webhook_url", "")?, None)
        } else {
            if channels.is_empty() {
                return Err(BadSetting::new("channel", "is needed with a bot token"));
            }
            let token = header_safe("bot_token", token)?;
            (self.address("server_url", "https://slack.com")?, Some(token))
        };
        Ok(Channel::Slack {
            server,
            token,
            channels,
            username: self.text("bot_name"),
            icon: self.text("icon_emoji"),
        })
    }
}
