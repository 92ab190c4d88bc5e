//! One request, one connection: nothing that a test asks depends on a client's pool.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use crate::PATIENCE;

/// A server's address and the session of somebody who has logged in there.
#[derive(Debug, Clone)]
pub struct Login {
    /// `HOST:PORT`.
    pub address: String,
    session: String,
}

impl Login {
    pub(crate) fn new(address: String, password: &str) -> Self {
        let mut login = Self {
            address,
            session: String::new(),
        };
        let form = json!({ "username": "admin", "password": password });
        let (status, answer) = login.ask("POST", "/api/auth/login", &form);
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().unwrap().clone_into(&mut login.session);
        login
    }

    /// The status, and the body as JSON, or as a string where it is none.
    ///
    /// # Panics
    /// When the server does not answer as a server does, or not in time.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             X-Requested-With: XMLHttpRequest\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.session,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let text = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
    }

    /// What is read there.
    ///
    /// # Panics
    /// When the answer is not 200.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Waits until what is read there is as `good` says.
    ///
    /// # Panics
    /// When it does not become so in time.
    pub fn wait(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.get(path);
            if good(&found) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays {found}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// Registers an add-on as a person does, with the address where it listens or none; its number and token.
    ///
    /// # Panics
    /// When the add-on is not taken.
    #[must_use]
    pub fn register(&self, name: &str, url: &str) -> (u64, String) {
        let (status, answer) = self.ask("POST", "/api/addons/register", &json!({ "name": name, "url": url }));
        assert_eq!(status, 201, "{answer}");
        let token = answer["token"].as_str().unwrap().to_owned();
        (answer["addon"]["id"].as_u64().unwrap(), token)
    }

    /// Waits until an add-on is online and has shown its manifest; its row.
    pub fn online(&self, addon: u64) -> Value {
        let here = |row: &Value| row["status"] == "online" && row["has_manifest"] == true;
        self.wait(&format!("/api/addons/{addon}"), here)
    }
}
