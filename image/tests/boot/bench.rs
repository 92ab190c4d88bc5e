//! The box as a person with a browser has it: login, drives, the gate's two steps, jobs, events, the stream.
//!
//! Everything goes over HTTP with the product's own wire types; an answer that does not fit them fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use image::qemu::Vm;
use image::qemu::http::{Event as Sent, Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wire::boxes::{BoxView, Started, Told};
use wire::drive::Drive;
use wire::gate::{Armed, Plan};
use wire::job::{Job, Outcome, RuleHit};
use wire::options::PlanOptions;
use wire::{DriveId, Event, JobId, Problem};

use crate::lab::SOON;

/// Name and password of the one person in these tests.
pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "forge-hammer-anvil";

/// A playbook of a person's own: the drive's own test, and a pass over every sector.
pub(crate) const SELF_TESTED: &str = r#"
name = "self-tested"
about = "The drive's own short test, and one keyed pass."
[[step]]
do = "smart_before"
[[step]]
do = "self_test_short"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "smart_after"
"#;

/// What a job came to, and the rules that took something from it. Left out is the one of moments in which a busy machine
/// stalls its guest: drives of this size bear none.
pub(crate) fn came_to(job: &Job) -> (Outcome, BTreeSet<&str>) {
    let verdict = job.verdict.as_ref().unwrap();
    let hits = verdict.rules.iter().filter(|hit| hit.outcome != Outcome::Passed);
    let (stalls, hits): (Vec<&RuleHit>, Vec<_>) = hits.partition(|hit| hit.id == "slow-outliers");
    println!(
        "{}: {:?} {:?}",
        job.serial,
        verdict.outcome,
        verdict.rules.iter().map(|hit| &hit.id).collect::<Vec<_>>()
    );
    let outcome = if hits.is_empty() && !stalls.is_empty() {
        Outcome::Passed
    } else {
        verdict.outcome
    };
    (outcome, hits.iter().map(|hit| hit.id.as_str()).collect())
}

/// Time-out of one request: argon2 takes seconds in an emulated processor.
const ANSWER: Duration = Duration::from_secs(45);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// A browser at the bench, logged in.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    address: SocketAddr,
    cookie: String,
}

impl Bench {
    /// Logs in with the bench's password.
    pub(crate) fn login(vm: &Vm) -> Self {
        let mut bench = Self {
            address: vm.address(),
            cookie: String::new(),
        };
        let deadline = Instant::now() + SOON;
        loop {
            match bench.call(
                "POST",
                "/session",
                Some(&json!({ "username": USER, "password": PASSWORD })),
            ) {
                Ok(response) if response.status / 100 == 2 => {
                    bench.take_cookie(&response);
                    return bench;
                }
                // The box claims itself a moment after it first answers; the limit on tries is per minute.
                other if Instant::now() > deadline => panic!("login: {other:?}"),
                _ => std::thread::sleep(Duration::from_secs(3)),
            }
        }
    }

    /// Claims the box with the code from its console.
    pub(crate) fn claim(vm: &Vm, code: &str) -> Self {
        let mut bench = Self {
            address: vm.address(),
            cookie: String::new(),
        };
        let body = json!({ "code": code, "username": USER, "password": PASSWORD });
        let response = bench.call("POST", "/claim", Some(&body)).unwrap();
        assert_eq!(response.status / 100, 2, "claim with {code}: {}", response.text());
        bench.take_cookie(&response);
        if bench.cookie.is_empty() {
            Self::login(vm)
        } else {
            bench
        }
    }

    /// Where the box's port 80 is reached.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn take_cookie(&mut self, response: &Response) {
        let cookies = response.headers.iter().filter(|(n, _)| n == "set-cookie");
        for (_, value) in cookies {
            let pair = value.split(';').next().unwrap_or_default();
            if pair.starts_with("kiln_session=") {
                pair.clone_into(&mut self.cookie);
            }
        }
    }

    /// One request under `/api/v1`; whatever the answer is.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Response> {
        self.call_at(method, &format!("/api/v1{path}"), body)
    }

    /// One request anywhere; whatever the answer is.
    pub(crate) fn call_at(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Response> {
        let mut request = Request::new(method, path);
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if method != "GET" {
            request = request
                .header("x-requested-with", "XMLHttpRequest")
                .header("origin", &format!("http://{}", self.address));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send(self.address, ANSWER)
    }

    /// One request under `/api/v1` with bytes; whatever the answer is.
    pub(crate) fn bytes(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Response> {
        let request = Request::new(method, &format!("/api/v1{path}"))
            .header("cookie", &self.cookie)
            .header("x-requested-with", "XMLHttpRequest")
            .header("content-type", "application/octet-stream")
            .bytes(body.to_vec());
        request.send(self.address, Duration::from_mins(5))
    }

    /// The debug bundle's files by name, as the dashboard gives it.
    pub(crate) fn bundle(&self) -> BTreeMap<String, String> {
        let response = self.bytes("GET", "/debug-bundle", &[]).unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bundle.tgz"), &response.body).unwrap();
        let tar = Command::new("tar")
            .args(["-xzf", "bundle.tgz", "--strip-components=1"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        let files = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
        files
            .filter(|path| path.is_file() && !path.ends_with("bundle.tgz"))
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (
                    name,
                    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned(),
                )
            })
            .collect()
    }

    /// A GET that is tried again while the server is away or starting.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let deadline = Instant::now() + SOON;
        loop {
            match self.call("GET", path, None) {
                Ok(response) if response.status == 200 => {
                    return serde_json::from_slice(&response.body)
                        .unwrap_or_else(|e| panic!("GET {path}: {e} in {}", response.text()));
                }
                other if Instant::now() > deadline => panic!("GET {path}: {other:?}"),
                _ => std::thread::sleep(LOOK),
            }
        }
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Problem> {
        let response = self
            .call("POST", path, Some(body))
            .unwrap_or_else(|e| panic!("POST {path}: {e}"));
        let text = response.text();
        if response.status / 100 == 2 {
            Ok(serde_json::from_str(&text).unwrap_or_else(|e| panic!("POST {path}: {e} in {text}")))
        } else {
            Err(serde_json::from_str(&text)
                .unwrap_or_else(|e| panic!("POST {path}: {} {e} in {text}", response.status)))
        }
    }

    pub(crate) fn status(&self) -> BoxView {
        self.get("/box")
    }

    /// Every event so far, oldest first.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map_or(0, |e| e.seq);
            let page: Value = self.get(&format!("/events?after={after}&limit=500"));
            let list = if page.is_array() { page } else { page["events"].clone() };
            let list: Vec<Event> = serde_json::from_value(list).unwrap();
            if list.is_empty() {
                return all;
            }
            all.extend(list);
        }
    }

    pub(crate) fn drives(&self) -> Vec<Drive> {
        self.get("/drives")
    }

    /// Waits until the drive with this serial is there and `wanted`.
    pub(crate) fn drive(&self, serial: &str, what: &str, wanted: impl Fn(&Drive) -> bool) -> Drive {
        self.until(&format!("drive {serial} {what}"), SOON, || {
            let drives = self.drives();
            match drives.iter().find(|d| d.serial == serial && wanted(d)) {
                Some(drive) => Ok(drive.clone()),
                None => Err(format!("{drives:#?}")),
            }
        })
    }

    /// Waits until the drive is there and offered for a burn-in, its content known.
    pub(crate) fn offered(&self, serial: &str) -> Drive {
        self.drive(serial, "offered", |d| {
            d.present && d.refused.is_none() && d.id.is_some() && !matches!(d.content, wire::drive::Content::Unknown)
        })
    }

    /// Makes a drive findable, or ends it; what people are told.
    pub(crate) fn locate(&self, drive: &DriveId, on: bool) -> Result<String, Problem> {
        let told: Told = self.post(&format!("/drives/{drive}/locate"), &json!({ "on": on }))?;
        Ok(told.told)
    }

    /// Names the bay where a drive sits.
    pub(crate) fn name_bay(&self, drive: &DriveId, name: &str) {
        let answer = self.call("PUT", &format!("/drives/{drive}/bay"), Some(&json!({ "bay": name })));
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub(crate) fn plan(&self, drives: &[DriveId], playbook: &str) -> Result<Plan, Problem> {
        self.post("/plans", &json!({ "drives": drives, "playbook": playbook }))
    }

    /// The same with what is chosen beside drives and playbook.
    pub(crate) fn plan_with(&self, drives: &[DriveId], playbook: &str, options: &PlanOptions) -> Result<Plan, Problem> {
        self.post(
            "/plans",
            &json!({ "drives": drives, "playbook": playbook, "options": options }),
        )
    }

    /// Arms with the password and what the plan asks to be typed.
    pub(crate) fn arm(&self, plan: &Plan) -> Result<Armed, Problem> {
        let typed: BTreeMap<_, _> = plan.drives.iter().map(|d| (d.id.clone(), d.label.clone())).collect();
        self.post(
            &format!("/plans/{}/arm", plan.id),
            &json!({ "password": PASSWORD, "confirm": typed }),
        )
    }

    pub(crate) fn fire(&self, plan: &Plan, armed: &Armed) -> Result<Vec<JobId>, Problem> {
        let started: Started = self.post(&format!("/plans/{}/start", plan.id), &json!(armed))?;
        Ok(started.jobs)
    }

    /// Plans, arms and starts a burn-in of the drives with these serials; the jobs in their order.
    pub(crate) fn burn(&self, serials: &[&str], playbook: &str) -> Vec<JobId> {
        let ids: Vec<DriveId> = serials.iter().map(|s| self.offered(s).id.unwrap()).collect();
        let plan = self.plan(&ids, playbook).unwrap();
        let armed = self.arm(&plan).unwrap();
        self.fire(&plan, &armed).unwrap()
    }

    /// Starts a playbook that only reads.
    pub(crate) fn scan(&self, serial: &str, playbook: &str) -> JobId {
        let drive = self.offered(serial).id.unwrap();
        let started: Started = self
            .post("/scans", &json!({ "drives": [drive], "playbook": playbook }))
            .unwrap();
        started.jobs.into_iter().next().unwrap()
    }

    /// Plans, arms and starts a burn-in of one drive with options.
    pub(crate) fn burn_with(&self, serial: &str, playbook: &str, options: &PlanOptions) -> JobId {
        let plan = self
            .plan_with(&[self.offered(serial).id.unwrap()], playbook, options)
            .unwrap();
        let armed = self.arm(&plan).unwrap();
        self.fire(&plan, &armed).unwrap().remove(0)
    }

    /// Keeps a playbook of a person's own.
    pub(crate) fn save_playbook(&self, name: &str, text: &str) {
        self.until(&format!("playbook {name}"), SOON, || {
            let answer = self
                .call("PUT", &format!("/playbooks/{name}"), Some(&json!({ "text": text })))
                .unwrap();
            // 503: the agent, who keeps it, is not there yet.
            match answer.status {
                200 => Ok(()),
                // 504: it has just come, and is busy. Saving twice is saving once.
                503 | 504 => Err(answer.text()),
                _ => panic!("{}", answer.text()),
            }
        });
    }

    pub(crate) fn job(&self, id: &JobId) -> Job {
        self.get(&format!("/jobs/{id}"))
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.get("/jobs")
    }

    /// Waits until the job is as `wanted`.
    pub(crate) fn wait_job(&self, id: &JobId, what: &str, limit: Duration, wanted: impl Fn(&Job) -> bool) -> Job {
        self.until(&format!("job {what}"), limit, || {
            let job = self.job(id);
            if wanted(&job) {
                Ok(job)
            } else {
                Err(format!("{job:#?}"))
            }
        })
    }

    /// Waits until the job has moved this many bytes in its phase, of which there must be one that moves bytes.
    pub(crate) fn wait_bytes(&self, id: &JobId, phase: wire::job::Phase, bytes: u64) -> Job {
        self.wait_job(
            id,
            &format!("past {bytes} bytes of {}", phase.label()),
            crate::lab::JOB,
            |job| {
                assert!(
                    !job.state.is_over(),
                    "the job was over before the test could interfere: {job:#?}"
                );
                job.progress
                    .as_ref()
                    .is_some_and(|p| p.phase == phase && p.done.0 >= bytes)
            },
        )
    }

    /// Waits for the verdict.
    pub(crate) fn verdict(&self, id: &JobId, limit: Duration) -> Job {
        self.wait_job(id, "over", limit, |job| job.state.is_over() && job.verdict.is_some())
    }

    /// Waits for the verdict and asserts that it is `outcome`.
    pub(crate) fn ends(&self, id: &JobId, outcome: Outcome) -> Job {
        let job = self.verdict(id, crate::lab::JOB);
        assert_eq!(job.verdict.as_ref().map(|v| v.outcome), Some(outcome), "{job:#?}");
        job
    }

    /// Asks until the answer is `Ok`; what the last one said is in the panic.
    pub(crate) fn until<T>(&self, what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            match look() {
                Ok(value) => return value,
                Err(last) if Instant::now() > deadline => panic!("no {what} within {} s: {last}", limit.as_secs()),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    /// The dashboard's stream; events arrive with the moment they came. It ends with the test or with the server.
    pub(crate) fn stream(&self, last_event_id: Option<u64>) -> Receiver<(Instant, Sent)> {
        let mut request = Request::new("GET", "/api/v1/stream").header("cookie", &self.cookie);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", &id.to_string());
        }
        let mut events = request.events(self.address, Duration::from_mins(2)).unwrap();
        let (send, receive) = channel();
        std::thread::spawn(move || {
            while let Ok(Some(event)) = events.read() {
                if send.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        receive
    }
}
