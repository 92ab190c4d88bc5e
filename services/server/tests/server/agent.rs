//! An agent at the other end, and what becomes of what it tells.

use link::{Closed, Limits};
use serde_json::{Value, json};
use wire::boxes::Liveness;
use wire::command::{CallOutcome, Command, Reply};
use wire::drive::{Drive, Rotation};
use wire::event::{NewEvent, Severity};
use wire::frame::{Hello, LogLine};
use wire::{Celsius, DriveId, Frame};

use crate::acts::{shown, there};
use crate::addon::endpoint;
use crate::box_::{Box_, PASSWORD, TOKEN};
use crate::client::PATIENCE;

/// An agent at the other end, that plans and starts what it is told to.
pub(crate) struct Agent {
    pub sender: link::Sender,
    receiver: link::Receiver,
    pub hello: Hello,
}

pub(crate) fn drive(serial: &str) -> DriveId {
    DriveId::from_serial("M", serial, 1_000).unwrap()
}

impl Agent {
    pub(crate) async fn connect(made: &Box_) -> Self {
        let (sender, mut receiver) = endpoint(made).connect(1, TOKEN, Limits::client()).await.unwrap();
        let Frame::Hello(hello) = tokio::time::timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap() else {
            panic!("the first frame is a hello")
        };
        Self {
            sender,
            receiver,
            hello,
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Frame, Closed> {
        tokio::time::timeout(PATIENCE, self.receiver.recv()).await.unwrap()
    }

    /// Takes the next command and answers it.
    pub(crate) async fn serve(&mut self, answer: impl FnOnce(Command) -> CallOutcome) {
        loop {
            if let Frame::Command(call) = self.next().await.unwrap() {
                let reply = Reply {
                    id: call.id,
                    outcome: answer(call.command),
                };
                self.sender.send(&Frame::Result(reply)).await.unwrap();
                return;
            }
        }
    }
}

#[tokio::test]
async fn what_the_agent_tells_is_kept_once_and_shown() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.events_seen, 0);
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    let event = |origin| {
        Frame::Event(NewEvent {
            kind: "drive.added".into(),
            severity: Severity::Info,
            job: None,
            drive: Some(drive("WD-1234")),
            message: format!("number {origin}"),
            data: Value::Null,
            origin: Some(origin),
        })
    };
    for origin in [1, 2, 2, 1] {
        agent.sender.send(&event(origin)).await.unwrap();
    }
    let line = LogLine {
        level: "warning".into(),
        message: "hot".into(),
        source: "agent".into(),
        ..LogLine::default()
    };
    agent.sender.send(&Frame::Log(line)).await.unwrap();
    let shown = stream.named("log").await;
    assert_eq!(
        (&shown.data["line"]["level"], &shown.data["job"]),
        (&json!("warn"), &Value::Null)
    );
    drop(agent);
    while stream.named("box").await.data["agent"]["state"] != "offline" {}
    let agent = Agent::connect(&made).await;
    assert_eq!(agent.hello.events_seen, 2, "the agent need not send these again");
    let events = admin.get("/api/v1/events").await.json();
    let added = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "drive.added")
        .count();
    assert_eq!(added, 2);
    assert_eq!(
        made.app.hub(|hub| hub.agent(made.app.clock.now()).state),
        Liveness::Online
    );
}

#[tokio::test]
async fn the_events_of_one_drive_are_told_alone_and_the_newest_of_them() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    let [ours, other] = ["WD-1", "WD-2"].map(drive);
    for origin in 1..=9 {
        let about = if origin % 3 == 0 { &ours } else { &other };
        let event = Frame::Event(NewEvent {
            kind: "drive.added".into(),
            severity: Severity::Info,
            job: None,
            drive: Some(about.clone()),
            message: format!("number {origin}"),
            // That another one's facts name it makes none of it.
            data: json!({ "drive": ours }),
            origin: Some(origin),
        });
        agent.sender.send(&event).await.unwrap();
    }
    while stream.named("event").await.data["message"] != "number 9" {}
    let mut told = async |query: String| {
        let events = admin.get(&format!("/api/v1/events?{query}")).await.json();
        let events = events.as_array().unwrap().clone();
        let told = events
            .iter()
            .map(|event| (event["message"].to_string(), event["seq"].as_u64().unwrap()));
        told.unzip::<_, _, Vec<String>, Vec<u64>>()
    };
    let (all, seqs) = told(format!("drive={ours}")).await;
    assert_eq!(all, ["\"number 3\"", "\"number 6\"", "\"number 9\""]);
    assert_eq!(told(format!("drive={ours}&limit=2")).await.0, all[1..]);
    assert_eq!(told(format!("drive={ours}&after={}", seqs[1])).await.0, all[2..]);
    assert_eq!(told(format!("drive={}", drive("WD-3"))).await.0, [""; 0]);
    let refused = admin.get("/api/v1/events?drive=sda").await;
    assert_eq!(refused.problem(), "bad-query");
}

#[tokio::test]
async fn drives_that_the_agent_has_not_told_since_a_restart_say_of_when_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let admin = Some(("admin".into(), PASSWORD.into()));
    let told = |name: &str| {
        let mut drive = there("WD-1234");
        drive.kernel_name = name.into();
        Frame::Drives(vec![drive])
    };
    {
        let made = Box_::at(dir.path(), admin).await;
        let agent = Agent::connect(&made).await;
        agent.sender.send(&told("sdc")).await.unwrap();
        let mut client = made.admin().await;
        let mut stream = client.events("/api/v1/stream").await;
        while stream.named("drives").await.data != json!([there_as("sdc")]) {}
        drop(agent);
        let left = loop {
            let left = stream.named("drives").await.data;
            if left[0]["as_of"].is_string() {
                break left;
            }
        };
        assert_eq!(left[0]["kernel_name"], "sdc", "what was told last stays");
        assert_eq!(client.get("/api/v1/drives").await.json(), left);
        made.app.shut_down().await;
    }
    let made = Box_::at_once_free(dir.path()).await;
    let mut client = made.admin().await;
    let drives = client.get("/api/v1/drives").await.json();
    assert_eq!(drives[0]["kernel_name"], "sdc");
    let as_of: wire::Time = drives[0]["as_of"].as_str().unwrap().parse().unwrap();
    assert!(as_of <= made.app.clock.now().wall && as_of > wire::Time::UNIX_EPOCH);
    let agent = Agent::connect(&made).await;
    assert!(
        client.get("/api/v1/drives").await.json()[0]["as_of"].is_string(),
        "a connection alone tells of no drive"
    );
    let mut stream = client.events("/api/v1/stream").await;
    agent.sender.send(&told("sdb")).await.unwrap();
    while stream.named("drives").await.data != json!([there_as("sdb")]) {}
    assert_eq!(client.get("/api/v1/drives").await.json(), json!([there_as("sdb")]));
}

/// The drive of [`there`] as a page sees it while the agent watches the bus.
fn there_as(name: &str) -> Value {
    let mut drive = json!(there("WD-1234"));
    drive["kernel_name"] = name.into();
    assert!(drive.get("as_of").is_none());
    drive["heat_limit"] = 60.into();
    drive
}

#[tokio::test]
async fn each_drive_says_how_hot_it_may_be_whatever_the_agent_says_of_it() {
    let made = Box_::claimed().await;
    let agent = Agent::connect(&made).await;
    let mut client = made.admin().await;
    let mut stream = client.events("/api/v1/stream").await;
    let kinds = [
        Rotation::Spinning { rpm: None },
        Rotation::SolidState,
        Rotation::Unknown,
    ];
    let drives = kinds.map(|rotation| Drive {
        rotation,
        heat_limit: Some(Celsius(999)),
        ..there(&format!("WD-{rotation:?}"))
    });
    agent.sender.send(&Frame::Drives(drives.to_vec())).await.unwrap();
    let told = loop {
        let told = stream.named("drives").await.data;
        if told.as_array().is_some_and(|list| list.len() == 3) {
            break told;
        }
    };
    let limits = told.as_array().unwrap().iter().map(|drive| drive["heat_limit"].clone());
    assert_eq!(json!(limits.collect::<Vec<_>>()), json!([55, 70, 60]));
    assert_eq!(client.get("/api/v1/drives").await.json(), told);
    // What a drive names itself is the limit of its alert, and so of the page.
    let document = json!({
        "device": { "name": "/dev/sdb", "type": "sat", "protocol": "ATA" }, "model_name": "M", "serial_number": drives[0].serial,
        "rotation_rate": 5400, "smart_status": { "passed": true }, "temperature": { "current": 31, "op_limit_max": 65 },
    });
    let report = Frame::Other {
        kind: "smart_report".into(),
        payload: json!({ "drive": drives[0].id, "at": made.app.clock.now().wall, "document": document }),
    };
    agent.sender.send(&report).await.unwrap();
    while stream.named("drives").await.data[0]["heat_limit"] != 65 {}
}

/// A drive that a dock and a port name differently stands in the book twice; the older one's alerts, which no reading ends, were its for ever.
#[tokio::test]
async fn what_speaks_against_a_drive_is_of_its_newest_reading_and_of_no_twin() {
    let made = Box_::claimed().await;
    let agent = Agent::connect(&made).await;
    let client = made.admin().await;
    let mut stream = client.events("/api/v1/stream").await;
    let mut twin = there("WD-1234");
    twin.id = Some(drive("TWIN"));
    let list = vec![there("WD-1234"), twin];
    agent.sender.send(&Frame::Drives(list.clone())).await.unwrap();
    let report = |of: &Drive, model: &str, device: &str, pending: u64, limit: u64| Frame::Other {
        kind: "smart_report".into(),
        payload: json!({ "drive": of.id, "at": made.app.clock.now().wall, "document": {
            "device": { "name": device, "type": "sat", "protocol": "ATA" }, "model_name": model, "serial_number": of.serial,
            "rotation_rate": 5400, "smart_status": { "passed": true }, "temperature": { "current": 31, "op_limit_max": limit },
            "ata_smart_attributes": { "table": [
                { "id": 197, "name": "Current_Pending_Sector", "value": 100, "worst": 100, "thresh": 0, "raw": { "value": pending, "string": "" } }
            ] }
        } }),
    };
    // Of each reading the limit tells when it has come.
    let steps = [
        (&list[0], "DOCK", "/dev/sdz", 200, 61, [true, false]),
        (&list[1], "TWIN", "/dev/sdc", 0, 62, [true, false]),
        (&list[0], "M", "/dev/sda", 0, 63, [false, false]),
        (&list[0], "M", "/dev/sda", 3, 64, [true, false]),
    ];
    for (of, model, device, pending, limit, ill) in steps {
        agent
            .sender
            .send(&report(of, model, device, pending, limit))
            .await
            .unwrap();
        let told = loop {
            let told = stream.named("drives").await.data;
            if told[0]["heat_limit"] == limit {
                break told;
            }
        };
        assert_eq!(
            [0, 1].map(|n| told[n]["ill"].is_object()),
            ill,
            "after {model} {pending}: {told}"
        );
    }
}

#[tokio::test]
async fn the_box_is_a_host_among_the_others_once_its_own_drives_have_said_something() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    assert_eq!(admin.get("/api/v1/hosts").await.json()["count"], 0);
    let agent = Agent::connect(&made).await;
    let report = |days_ago: i64, pending: u64| {
        let at = made
            .app
            .clock
            .now()
            .wall
            .checked_sub(jiff::SignedDuration::from_hours(24 * days_ago))
            .unwrap();
        let document = json!({
            "device": { "name": "/dev/sdb", "type": "sat", "protocol": "ATA" },
            "model_name": "M", "serial_number": "WD 1234", "rotation_rate": 5400, "user_capacity": { "bytes": 1_000 },
            "smart_status": { "passed": true }, "temperature": { "current": 31 },
            "ata_smart_attributes": { "table": [
                { "id": 197, "name": "Current_Pending_Sector", "value": 100, "worst": 100, "thresh": 0, "raw": { "value": pending, "string": "" } }
            ] }
        });
        Frame::Other {
            kind: "smart_report".into(),
            payload: json!({ "drive": drive("WD-1234"), "at": at, "document": document }),
        }
    };
    for (days_ago, pending) in [(2, 0), (1, 1), (0, 2)] {
        agent.sender.send(&report(days_ago, pending)).await.unwrap();
    }
    let own = "hostname=this%20box&serial=wd-1234";
    let wait = async {
        loop {
            let told = admin.get(&format!("/api/smart/attributes/history?{own}")).await.json();
            if told["drives"][0]["points"] == 3 {
                break told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let pending: Vec<f64> = told["drives"][0]["history"]["197"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[1].as_f64().unwrap())
        .collect();
    assert_eq!(
        pending,
        [0.0, 1.0, 2.0],
        "the serial is the drive's, however it is written"
    );
    let hosts = admin.get("/api/v1/hosts").await.json();
    let this = &hosts["hosts"][0];
    assert_eq!(
        (
            &this["hostname"],
            &this["own"],
            &this["agent_id"],
            &this["drives_count"]
        ),
        (&json!("this box"), &json!(true), &Value::Null, &json!(1)),
        "{hosts}"
    );
    let history = admin.get("/api/hosts/this%20box/history").await.json();
    assert_eq!(history["drives"][0]["temperature"].as_array().unwrap().len(), 3);
    // It sends no report: what existing dashboards draw is made of what is known.
    let last = admin.get("/api/history").await.json();
    let told = &last[0]["details"]["drives"][0];
    assert_eq!(
        (&last[0]["hostname"], &told["serial_number"]),
        (&json!("this box"), &history["drives"][0]["serial"]),
        "{last}"
    );
    let refused = admin.delete("/api/hosts/this%20box").await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "built-in"));
    assert_eq!(admin.get("/api/v1/hosts").await.json()["hosts"][0]["drives_count"], 1);
}

/// Its manifest names the keys of the rows; what fills them is told whole to this box.
#[tokio::test]
async fn the_agents_own_tables_fill_the_columns_that_its_manifest_names() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let agent = Agent::connect(&made).await;
    let one = Drive {
        temperature: Some(Celsius(31)),
        refused: Some(wire::drive::Refused {
            kind: "mounted".into(),
            reason: "sda is mounted at /".into(),
        }),
        ..there("WD-1234")
    };
    shown(&admin, &agent, Frame::Drives(vec![one]), "drives").await;
    let ended = crate::certificate::finished(7);
    shown(&admin, &agent, Frame::Job(Box::new(ended.clone())), "job").await;
    let manifest: Value = serde_json::from_str(include_str!("../../../agent/manifest.json")).unwrap();
    let mut rows = Vec::new();
    for source in ["agent_drives", "job_history"] {
        let told = admin.get(&format!("/api/v1/addons/1/sources/{source}")).await.json();
        let row = told["items"][0].clone();
        let pages = manifest["pages"].as_array().unwrap().iter();
        let mut parts = pages.flat_map(|page| page["components"].as_array().unwrap());
        let table = parts
            .find(|part| part["type"] == "smart-table" && part["source"] == source)
            .unwrap();
        let columns = table["config"]["columns"].as_array().unwrap().iter();
        for key in columns
            .map(|column| &column["key"])
            .chain([&table["config"]["key_field"]])
        {
            let cell = &row[key.as_str().unwrap()];
            let plain = cell.is_number() || cell.as_str().is_some_and(|text| !text.is_empty());
            assert!(plain, "{source}, {key}: {cell}");
        }
        rows.push(row);
    }
    assert_eq!(rows[0]["content"], "no known content");
    assert_eq!(rows[1]["verdict"], ended.verdict.unwrap().outcome.word());
}
