//! The roads around the gate: each is tried, and each is closed.

use http::Method;
use serde_json::{Value, json};
use wire::command::{Answer, CallOutcome, Command};

use crate::addon::registered;
use crate::agent::Agent;
use crate::box_::{Box_, PASSWORD};
use crate::shed::{Listening, Shed, manifest, received, send, send_text, warned};

/// The form of `start_job` with everything that its gate asks for.
fn whole() -> Value {
    json!({ "component_id": "controls", "action": "start_job", "data": { "target": "sda", "confirm": true },
        "_password": PASSWORD, "confirm": "CONFIRM" })
}

#[tokio::test]
async fn road_proxy_write_passes_only_what_the_manifest_declares_ungated() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let shed = Shed::new(&mut admin, &listening.url()).await;
    let mut page = shed.page(&admin).await;
    for (path, want) in [
        ("proxy?path=/api/execute", "not-declared"),
        ("proxy?path=/api/start_job", "gate"),
        ("proxy?path=/api/jobs/j1&method=PUT", "not-declared"),
        ("proxy?path=/api/agents/n1&method=DELETE", "not-declared"),
        ("proxy?path=/api/jobs/j1&method=GET", "method-in-query"),
        ("proxy?path=/api/../execute", "bad-path"),
        ("proxy?path=/api/%252e%252e/execute", "bad-path"),
        ("proxy?path=//evil.example/api/x", "bad-path"),
        ("proxy", "bad-path"),
    ] {
        let answer = admin.post(&shed.path(path), &json!({ "confirm": true })).await;
        assert_eq!(answer.problem(), want, "{path}");
    }
    warned(&mut page, "/api/execute").await;
    assert_eq!(listening.asked(), [], "nothing reached the add-on");
    let long = json!({ "x": "y".repeat(70_000) });
    assert_eq!(
        admin
            .post(&shed.path("proxy?path=/api/set_rate"), &long)
            .await
            .problem(),
        "too-long"
    );

    let answer = admin
        .post(&shed.path("proxy?path=/api/set_rate"), &json!({ "rate": 3 }))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        admin
            .post(&shed.path("proxy?path=/api/jobs/j1&method=DELETE"), &json!({}))
            .await
            .status,
        200
    );
    let asked: Vec<_> = listening
        .asked()
        .into_iter()
        .map(|asked| (asked.method, asked.path, asked.authorization))
        .collect();
    assert_eq!(
        asked,
        [
            ("POST".into(), "/api/set_rate".into(), None),
            ("DELETE".into(), "/api/jobs/j1".into(), None)
        ],
        "and no secret goes along: the add-on has no connection"
    );
}

#[tokio::test]
async fn road_proxy_get_with_method_delete_is_refused() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let shed = Shed::new(&mut admin, &listening.url()).await;
    for method in ["DELETE", "delete", "POST", "PUT", "PATCH"] {
        let answer = admin
            .get(&shed.path(&format!("proxy?path=/api/jobs/j1&method={method}")))
            .await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (405, "method-in-query"),
            "{method}"
        );
    }
    assert_eq!(listening.asked(), []);
    assert_eq!(admin.get(&shed.path("proxy?path=/api/jobs/j1")).await.status, 200);
    assert_eq!(
        admin.get(&shed.path("proxy?path=/api/away")).await.problem(),
        "addon-redirects"
    );
    let odd = admin.get(&shed.path("proxy?path=/api/odd")).await;
    assert_eq!((odd.status, odd.problem().as_str()), (502, "addon-unreachable"));
    assert_eq!(
        admin.get(&shed.path("proxy?path=/api/long")).await.problem(),
        "addon-too-long"
    );
    let page = admin.get(&shed.path("proxy?path=/api/page")).await;
    assert_eq!(
        page.headers["content-type"], "text/plain; charset=utf-8",
        "no page of the add-on's under our name"
    );
    assert!(listening.asked().iter().all(|asked| asked.method == "GET"));
    assert_eq!(
        made.client().get(&shed.path("proxy?path=/api/agents")).await.problem(),
        "not-logged-in"
    );
}

/// An add-on that does not look at the method does by GET what its action does by POST.
#[tokio::test]
async fn road_a_get_of_the_path_of_an_action_that_destroys_is_no_way_around() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let gate = json!([{ "name": "sure", "type": "checkbox", "security_gate": true }]);
    let form = |id: &str, action: &str, fields: &Value| json!({ "type": "form", "id": id, "config": { "action": action, "fields": fields } });
    let manifest = json!({ "name": "f", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
        form("a", "start_job", &gate), form("b", "wipe_all", &json!([])), form("c", "set_rate", &json!([])),
        form("d", "config", &gate), form("e", "pools", &gate),
        { "type": "smart-table", "id": "t", "config": { "columns": ["a"], "source": "/api/pools" } },
    ] }] });
    let form = json!({ "name": "f", "url": listening.url(), "manifest": manifest });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["addon"]["id"].as_u64().unwrap();
    for path in [
        "start_job",
        "Start_Job",
        "start_job/",
        "start_job;x",
        "start_job%3Fx=1",
        "wipe_all",
    ] {
        let answer = admin.get(&format!("/api/addons/{id}/proxy?path=/api/{path}")).await;
        assert_eq!(answer.problem(), "gate", "{path}");
        let source = admin
            .get(&format!(
                "/api/v1/addons/{id}/sources/%2Fapi%2F{}",
                path.replace('/', "%2F")
            ))
            .await;
        assert_eq!(source.problem(), "gate", "{path}");
    }
    assert_eq!(listening.asked(), [], "nothing reached the add-on");
    for path in ["set_rate", "config", "pools", "pools%3Fx=1", "start_jobs", "other"] {
        let answer = admin.get(&format!("/api/addons/{id}/proxy?path=/api/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn road_a_get_that_destroys_or_a_path_in_other_letters_is_no_way_around() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let button = |id: &str, safety: &str, method: &str, endpoint: &str| json!({ "id": id, "label": id, "safety": safety, "action": { "method": method, "endpoint": endpoint } });
    let manifest = json!({ "name": "pools", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
        { "type": "smart-table", "id": "t", "title": "T", "config": { "columns": ["a"], "row_actions": [
            button("wipe", "destructive", "GET", "/api/pools/{name}/wipe"),
            button("erase", "destructive", "POST", "/api/pools/{name}/erase"),
            button("other", "write", "POST", "/api/pools/{name}/{what}"),
        ] } }] }] });
    let form = json!({ "name": "pools", "url": listening.url(), "manifest": manifest });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["addon"]["id"].as_u64().unwrap();
    let proxy = format!("/api/addons/{id}/proxy?path=");
    for path in [
        "/api/pools/a/wipe",
        "/api/pools/a/WIPE",
        "/api/pools/a/wipe/",
        "/api/pools/a/wipe;x=1?y=2",
    ] {
        let path = path.replace('?', "%3F");
        assert_eq!(admin.get(&format!("{proxy}{path}")).await.problem(), "gate", "{path}");
        let source = path.replace('/', "%2F");
        let source = admin.get(&format!("/api/v1/addons/{id}/sources/{source}")).await;
        assert_eq!(source.problem(), "gate", "{path}");
    }
    for path in [
        "/api/pools/a/erase",
        "/api/pools/a/Erase",
        "/api/pools/a/erase;x",
        "/api/pools/a/erase/",
    ] {
        let answer = admin.post(&format!("{proxy}{path}"), &json!({})).await;
        assert_eq!(answer.problem(), "gate", "{path}");
    }
    // A button's own road, by the values of its row.
    let act = |what: &str| json!({ "component_id": "t", "action": "other", "data": { "name": "a", "what": what } });
    let action = format!("/api/addons/{id}/action");
    for what in ["erase", "ERASE"] {
        assert_eq!(admin.post(&action, &act(what)).await.problem(), "gate", "{what}");
    }
    assert_eq!(listening.asked(), [], "nothing reached the add-on");
    assert_eq!(admin.post(&action, &act("scrub")).await.status, 200);
    assert_eq!(listening.asked().len(), 1);
    assert_eq!(
        admin
            .post(&format!("{proxy}/api/pools/a/scrub"), &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(admin.get(&format!("{proxy}/api/pools/a")).await.status, 200);
    assert_eq!(listening.asked().len(), 2);
}

/// Nobody has to declare what a name says: on the page it has the gate, and here.
#[tokio::test]
async fn road_an_action_that_is_called_so_is_gated_without_being_declared_so() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let manifest = json!({ "name": "pools", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
        { "type": "smart-table", "id": "t", "title": "T", "config": {
            "columns": ["a", { "key": "b", "format": "actions", "actions": [{ "type": "forget", "destructive": true }, { "type": "scrub" }] }],
            "row_actions": [
                { "id": "wipe_drive" },
                { "id": "eraseAll", "safety": "write" },
                { "id": "destroy", "action": { "endpoint": "/api/pools/{row.name}/go" } },
                { "id": "Format it", "action": { "method": "GET", "endpoint": "/api/pools/{row.name}/run" } },
            ] } },
        { "type": "progress", "id": "j", "title": "J", "config": { "cancel": { "action": "purge_job" } } },
        { "type": "form", "id": "f", "title": "F", "config": { "action": "partition_drive" } },
    ] }] });
    let form = json!({ "name": "pools", "url": listening.url(), "manifest": manifest });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["addon"]["id"].as_u64().unwrap();
    let (path, proxy) = (
        format!("/api/addons/{id}/action"),
        format!("/api/addons/{id}/proxy?path="),
    );
    let asked = |component: &str, action: &str| json!({ "component_id": component, "action": action, "data": { "name": "tank", "job_id": "j1" } });
    let gated = [
        ("t", "wipe_drive"),
        ("t", "eraseAll"),
        ("t", "destroy"),
        ("t", "forget"),
        ("j", "purge_job"),
        ("f", "partition_drive"),
    ];
    for (component, action) in gated {
        let answer = admin.post(&path, &asked(component, action)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "gate"), "{action}");
        let answer = admin.post(&format!("{proxy}/api/{action}"), &json!({})).await;
        assert_eq!(answer.problem(), "gate", "{action} by the proxy");
    }
    let answer = admin.post(&format!("{proxy}/api/pools/tank/go"), &json!({})).await;
    assert_eq!(answer.problem(), "gate");
    assert_eq!(
        admin.get(&format!("{proxy}/api/pools/tank/run")).await.problem(),
        "gate"
    );
    assert_eq!(listening.asked(), [], "nothing reached the add-on");

    assert_eq!(admin.post(&path, &asked("t", "scrub")).await.status, 200);
    for (component, action) in gated {
        let mut form = asked(component, action);
        form["_password"] = PASSWORD.into();
        form["confirm"] = "CONFIRM".into();
        let answer = admin.post(&path, &form).await;
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
    }
    let paths: Vec<String> = listening.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(
        paths,
        [
            "/api/scrub",
            "/api/wipe_drive",
            "/api/eraseAll",
            "/api/pools/tank/go",
            "/api/forget",
            "/api/purge_job",
            "/api/partition_drive"
        ]
    );
}

#[tokio::test]
async fn a_value_is_held_against_the_field_that_is_shown_and_a_forged_total_is_refused() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let manifest = json!({ "name": "sizes", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
        { "type": "form", "id": "f", "title": "F", "config": { "action": "set_size", "fields": [
            { "name": "how", "type": "text" },
            { "name": "size", "type": "number", "max": 4, "visible_when": "how=a" },
            { "name": "size", "type": "number", "max": 100, "visible_when": "how=b" },
            { "name": "total", "type": "number", "live_calculation": "size * 2" } ] } }] }] });
    let form = json!({ "name": "sizes", "url": listening.url(), "manifest": manifest });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = format!("/api/addons/{}/action", answer.json()["addon"]["id"]);
    let asked = |data: Value| json!({ "component_id": "f", "action": "set_size", "data": data });
    for (data, word) in [
        (json!({ "how": "a", "size": 50, "total": 100 }), "at most 4"),
        (json!({ "how": "b", "size": 101, "total": 202 }), "at most 100"),
        (
            json!({ "how": "b", "size": 50, "total": 10 }),
            "expected 100, which its formula gives",
        ),
    ] {
        let answer = admin.post(&path, &asked(data)).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "bad-form"), "{word}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }
    assert_eq!(listening.asked(), [], "nothing reached the add-on");
    let answer = admin
        .post(&path, &asked(json!({ "how": "b", "size": 50, "total": 100 })))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A placeholder may be a part of a part, and what other ends take for the same path is the same path here.
#[tokio::test]
async fn road_a_placeholder_within_a_part_a_dot_or_a_query_is_no_way_around() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let button = |id: &str, safety: &str, method: &str, endpoint: &str| json!({ "id": id, "label": id, "safety": safety, "action": { "method": method, "endpoint": endpoint } });
    let manifest = json!({ "name": "disks", "version": "1", "pages": [{ "id": "p", "title": "P", "components": [
        { "type": "form", "id": "f", "title": "F", "config": { "action": "start_job", "fields": [{ "name": "sure", "label": "S", "type": "checkbox", "security_gate": true }] } },
        { "type": "smart-table", "id": "t", "title": "T", "config": { "columns": ["a"], "row_actions": [
            button("wipe", "destructive", "GET", "/api/disks/wipe-{row.name}"),
            button("erase", "destructive", "POST", "/api/disks/{name}:erase"),
            button("scrub", "write", "POST", "/api/disks/{name}:scrub"),
            button("other", "write", "POST", "/api/disks/{what}"),
            button("any", "write", "POST", "/api/{any}"),
        ] } }] }] });
    let form = json!({ "name": "disks", "url": listening.url(), "manifest": manifest });
    let answer = admin.post("/api/addons/register", &form).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["addon"]["id"].as_u64().unwrap();
    let proxy = format!("/api/addons/{id}/proxy?path=");
    for path in [
        "/api/disks/wipe-sda",
        "/api/disks/WIPE-sda/",
        "/api/disks/wipe-sda%3Fx=1",
    ] {
        assert_eq!(admin.get(&format!("{proxy}{path}")).await.problem(), "gate", "{path}");
        let source = path.replace('/', "%2F");
        let source = admin.get(&format!("/api/v1/addons/{id}/sources/{source}")).await;
        assert_eq!(source.problem(), "gate", "{path}");
    }
    for path in [
        "/api/disks/sda:erase",
        "/api/disks/sda:ERASE",
        "/api/disks/sda:erase%3Bx/",
        "/api/start_job",
        "/api/start_job/",
        "/api/START_JOB",
        "/api/start_job%3Fx=1",
        "/api/start_job%3Bx",
    ] {
        let answer = admin.post(&format!("{proxy}{path}"), &json!({})).await;
        assert_eq!(answer.problem(), "gate", "{path}");
    }
    for path in [
        "/api/./disks/wipe-sda",
        "/api/disks/./wipe-sda",
        "/api/disks/.%3Bx/wipe-sda",
        "/api/disks/.",
    ] {
        assert_eq!(
            admin.get(&format!("{proxy}{path}")).await.problem(),
            "bad-path",
            "{path}"
        );
        assert_eq!(
            admin.post(&format!("{proxy}{path}"), &json!({})).await.problem(),
            "bad-path",
            "{path}"
        );
    }
    assert_eq!(listening.asked(), [], "nothing reached the add-on");
    for path in ["/api/disks/sda:scrub", "/api/disks/sda", "/api/set_rate"] {
        let answer = admin.post(&format!("{proxy}{path}"), &json!({})).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert_eq!(admin.get(&format!("{proxy}/api/disks/sda.conf")).await.status, 200);
    assert_eq!(listening.asked().len(), 4);
}

#[tokio::test]
async fn road_action_to_the_built_in_agent_leads_to_the_gate() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let _agent = Agent::connect(&made).await;
    for action in ["start_job", "burnin", "execute", "format", "get_drives"] {
        let form = json!({ "component_id": "controls", "action": action, "data": { "target": "sda", "confirm": true },
            "_password": PASSWORD, "confirm": "CONFIRM" });
        let answer = admin.post("/api/addons/1/action", &form).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (409, "use-the-gate"),
            "{action}"
        );
    }
    let answer = admin.post("/api/addons/1/proxy?path=/api/execute", &json!({})).await;
    assert_eq!(answer.problem(), "use-the-gate");
    let cancel = json!({ "action": "cancel", "data": { "job_id": "nonsense" } });
    assert_eq!(admin.post("/api/addons/1/action", &cancel).await.problem(), "bad-form");
}

#[tokio::test]
async fn road_action_with_a_gated_form_needs_ticks_password_and_confirm() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let listening = Listening::start().await;
    let shed = Shed::new(&mut admin, &listening.url()).await;
    let path = shed.path("action");
    let without = |change: &dyn Fn(&mut Value)| {
        let mut form = whole();
        change(&mut form);
        form
    };
    for (form, word) in [
        (
            without(&|form| form["data"]["confirm"] = false.into()),
            "\"confirm\" must be ticked",
        ),
        (
            without(&|form| drop(form["data"].as_object_mut().unwrap().remove("confirm"))),
            "\"confirm\" must be ticked",
        ),
        (
            without(&|form| drop(form.as_object_mut().unwrap().remove("_password"))),
            "_password",
        ),
        (without(&|form| form["_password"] = "".into()), "_password"),
        (
            without(&|form| drop(form.as_object_mut().unwrap().remove("confirm"))),
            "CONFIRM",
        ),
        (without(&|form| form["confirm"] = "confirm".into()), "CONFIRM"),
    ] {
        let answer = admin.post(&path, &form).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "gate"), "{form}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }
    let wrong = without(&|form| form["_password"] = "wrong horse".into());
    assert_eq!(admin.post(&path, &wrong).await.problem(), "password-wrong");
    for (form, want) in [
        (without(&|form| form["action"] = "stop_job".into()), "not-declared"),
        (without(&|form| form["component_id"] = "tune".into()), "not-declared"),
        (without(&|form| form["action"] = "../execute".into()), "bad-action"),
        (without(&|form| form["data"]["target"] = "sdb".into()), "bad-form"),
    ] {
        assert_eq!(admin.post(&path, &form).await.problem(), want, "{form}");
    }
    assert_eq!(listening.asked(), [], "nothing reached the add-on");

    let mut stream = admin.events("/api/v1/stream?after=0").await;
    let answer = admin.post(&path, &whole()).await;
    assert_eq!(
        (answer.status, &answer.json()["job_id"]),
        (202, &json!("j1")),
        "passed back as it came"
    );
    let asked = listening.asked();
    assert_eq!(
        (
            asked[0].method.as_str(),
            asked[0].path.as_str(),
            &asked[0].authorization
        ),
        ("POST", "/api/start_job", &None)
    );
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(
        body,
        json!({ "target": "sda", "confirm": true }),
        "neither password nor CONFIRM goes on"
    );
    assert_eq!(stream.logged("addon.action").await.data["data"]["destructive"], true);
}

#[tokio::test]
async fn road_passwords_cannot_be_guessed_at_an_action() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "http://127.0.0.1:1").await;
    let mut form = whole();
    form["_password"] = "wrong horse".into();
    let path = shed.path("action");
    for _ in 0..5 {
        assert_eq!(admin.post(&path, &form).await.problem(), "password-wrong");
    }
    assert_eq!(
        admin.post(&path, &whole()).await.problem(),
        "too-many-tries",
        "the right one neither"
    );
}

#[tokio::test]
async fn road_command_frames_of_a_foreign_add_on_go_nowhere() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut agent = Agent::connect(&made).await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    for forged in [
        json!({ "type": "command", "payload": { "id": "1", "command": { "name": "plan", "args": { "drives": [], "playbook": "surface" } } } }),
        json!({ "type": "command", "payload": { "request_id": "1", "component_id": "c", "action": "start_job", "data": {} } }),
        json!({ "type": "hello", "payload": { "box_id": "x", "gate_key": "y", "claimed": true } }),
    ] {
        send(&mut socket, &forged).await;
    }
    let last = json!({ "type": "log", "payload": { "level": "info", "message": "last" } });
    send(&mut socket, &last).await;
    let mut warned = 0;
    loop {
        let line = page.named("log").await;
        match line.data["payload"]["source"].as_str() {
            Some("server") => warned += 1,
            _ => break,
        }
    }
    assert!(warned >= 2, "{warned} lines about what was not taken");
    // The first that the agent is asked at all is what a person asks now.
    let job = "01990000-0000-7000-8000-000000000000";
    let mut asker = admin.clone();
    let asking = tokio::spawn(async move {
        let form = json!({ "action": "cancel", "data": { "job_id": job } });
        asker.post("/api/addons/1/action", &form).await
    });
    agent
        .serve(|command| {
            assert!(matches!(command, Command::Abort { .. }), "{command:?}");
            CallOutcome::Ok(Answer::Aborted)
        })
        .await;
    assert_eq!(asking.await.unwrap().status, 200);
}

#[tokio::test]
async fn road_dashboard_cannot_speak_on_an_add_ons_socket() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let (id, _) = registered(&mut admin).await;
    let cookie = admin.cookie.clone().unwrap();
    assert_eq!(
        crate::addon::raw(&made, id, &cookie).await.unwrap_err(),
        401,
        "a person's session is no add-on's token"
    );
    assert_eq!(crate::addon::raw(&made, 1, &cookie).await.unwrap_err(), 401);
    assert_eq!(
        admin
            .raw(Method::GET, &format!("/api/addons/ws?addon_id={id}"), None)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn road_forged_events_are_not_told() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    for event_type in ["addon_degraded", "addon_online", "Addon_Online ", "addon.online"] {
        let frame = json!({ "type": "notification", "payload": { "event_type": event_type, "severity": "critical", "message": "forged" } });
        send(&mut socket, &frame).await;
        warned(&mut page, event_type.trim()).await;
    }
    // Said twice, the first as a careless reader takes it.
    for (frame, word) in [
        (
            r#"{"type":"heartbeat","type":"log","payload":{"level":"info","message":"half"}}"#,
            "duplicate field `type`",
        ),
        (
            r#"{"type":"log","payload":{"message":"a"},"payload":{"message":"half"}}"#,
            "duplicate field `payload`",
        ),
    ] {
        send_text(&mut socket, frame).await;
        warned(&mut page, word).await;
    }
    let twice = r#"{"type":"notification","payload":{"event_type":"addon_degraded","event_type":"custom","severity":"info","message":"m"}}"#;
    send_text(&mut socket, twice).await;
    let relayed = page.named("notification").await;
    assert_eq!(relayed.data["payload"]["event_type"], "custom");
    assert!(!relayed.text.contains("addon_degraded"), "{}", relayed.text);
    let frame =
        json!({ "type": "event", "payload": { "type": "job.passed", "severity": "info", "message": "forged" } });
    send(&mut socket, &frame).await;
    let frame = json!({ "type": "notification", "payload": { "event_type": "job_complete", "severity": "info", "message": "true" } });
    send(&mut socket, &frame).await;
    // What looks like a kind of the server's own is told as the add-on's, under another name.
    let frame = json!({ "type": "notification", "payload": { "event_type": "job.passed", "message": "its own" } });
    send(&mut socket, &frame).await;
    warned(&mut page, "job_passed").await;
    let mut stream = admin.events("/api/v1/stream?after=0").await;
    let told = stream.logged("addon.notification").await;
    assert_eq!(told.data["data"]["event_type"], "custom", "the first that is told");
    let told = stream.logged("addon.notification").await;
    assert_eq!(told.data["data"]["event_type"], "job_complete");
    assert_eq!(told.data["actor"], json!({ "kind": "addon", "name": "shed" }));
    let told = stream.logged("addon.notification").await;
    assert_eq!(told.data["data"]["event_type"], "job_passed");
    let log = admin.get("/api/v1/events?limit=100").await.text;
    assert!(!log.contains("forged"), "{log}");
}

#[tokio::test]
async fn actions_without_an_address_go_down_the_socket_and_results_come_back() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let form = json!({ "component_id": "tune", "action": "set_rate", "data": { "rate": 3 } });
    assert_eq!(admin.post(&shed.path("action"), &form).await.problem(), "addon-away");
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    let (mut asker, path) = (admin.clone(), shed.path("action"));
    let asking = tokio::spawn(async move { asker.post(&path, &form).await });
    let command = received(&mut socket, "command").await;
    assert_eq!(
        (&command["component_id"], &command["action"], &command["data"]),
        (&json!("tune"), &json!("set_rate"), &json!({ "rate": 3 }))
    );
    let forged = json!({ "type": "result", "payload": { "request_id": "another", "data": 1 } });
    send(&mut socket, &forged).await;
    warned(&mut page, "request_id").await;
    let id = command["request_id"].clone();
    send(
        &mut socket,
        &json!({ "type": "result", "payload": { "request_id": id, "status": 201, "body": { "rate": 3 } } }),
    )
    .await;
    let answer = asking.await.unwrap();
    assert_eq!((answer.status, answer.json()), (201, json!({ "rate": 3 })));

    let (mut asker, path) = (admin.clone(), shed.path("action"));
    let form = json!({ "component_id": "tune", "action": "set_rate", "data": { "rate": 4 } });
    let asking = tokio::spawn(async move { asker.post(&path, &form).await });
    received(&mut socket, "command").await;
    drop(socket);
    assert_eq!(
        asking.await.unwrap().problem(),
        "addon-away",
        "who waits is told when the add-on goes"
    );
    let bad = json!({ "component_id": "tune", "action": "set_rate", "data": { "rate": 11 } });
    let answer = admin.post(&shed.path("action"), &bad).await;
    assert_eq!(answer.problem(), "bad-form");
    assert!(answer.json()["detail"].as_str().unwrap().contains("at most 10"));
    warned(&mut page, "at most 10").await;
}

#[tokio::test]
async fn sources_are_answered_by_the_address_or_from_what_was_sent() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let shed = Shed::new(&mut admin, "").await;
    let mut page = shed.page(&admin).await;
    let mut socket = shed.socket(&made).await;
    let of = |source: &str| format!("/api/v1/addons/{}/sources/{source}", shed.id);
    for frame in [
        json!({ "type": "progress", "payload": { "job_id": "a", "phase": "write", "percent": 100, "own_field": [1] } }),
        json!({ "type": "progress", "payload": { "job_id": "b", "phase": "COMPLETE", "percent": 100.0, "status": "completed" } }),
        json!({ "type": "chart", "payload": { "component_id": "jobs", "key": "temp_c", "value": 34 } }),
        json!({ "type": "smart", "payload": { "component_id": "jobs", "rows": [{ "id": 5, "baseline": 0, "current": 1 }] } }),
        json!({ "type": "log", "payload": { "level": "info", "message": "hello", "job_id": "a" } }),
    ] {
        send(&mut socket, &frame).await;
    }
    page.named("log").await;
    let active = admin.get(&of("active_jobs")).await.json();
    assert_eq!(
        (&active["items"][0]["job_id"], &active["items"][0]["own_field"]),
        (&json!("a"), &json!([1])),
        "{active}"
    );
    assert_eq!(
        active["items"].as_array().unwrap().len(),
        1,
        "one that is over is not active, one whose phase is over is"
    );
    assert_eq!(admin.get(&of("job_history")).await.json()["items"][0]["job_id"], "b");
    assert_eq!(
        admin.get(&of("chart_history?component=jobs&range=15m")).await.json()["items"][0]["value"],
        34.0
    );
    assert_eq!(admin.get(&of("smart_deltas")).await.json()["items"][0]["current"], 1);
    assert_eq!(
        admin.get(&of("log_history?job=a")).await.json()["items"][0]["message"],
        "hello"
    );
    assert_eq!(admin.get(&of("log_history?job=z")).await.json()["items"], json!([]));
    for (wrong, word) in [
        ("disk_status", "no-address"),
        ("non%20sense", "bad-source"),
        ("log_history?range=1w", "bad-source"),
        ("%2Fapi%2Fpools", "no-address"),
    ] {
        assert_eq!(admin.get(&of(wrong)).await.problem(), word, "{wrong}");
    }

    let listening = Listening::start().await;
    let other = Shed::new(&mut admin, &listening.url()).await;
    let of = |source: &str| format!("/api/v1/addons/{}/sources/{source}", other.id);
    assert_eq!(
        admin.get(&of("active_jobs")).await.json()["items"][0]["job_id"],
        "from-address"
    );
    assert_eq!(admin.get(&of("%2Fapi%2Fpools?agent_id=n%201")).await.status, 200);
    assert_eq!(listening.asked()[1].path, "/api/pools?agent_id=n%201");
    let gone = Shed::new(&mut admin, "http://127.0.0.1:1").await;
    let answer = admin
        .get(&format!("/api/v1/addons/{}/sources/active_jobs", gone.id))
        .await
        .json();
    assert_eq!((&answer["stale"], &answer["items"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_bad_manifest_at_registration_makes_nothing() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let token = admin.post("/api/addons/tokens", &json!({ "name": "t" })).await.json()["token"].clone();
    let mut bad = manifest();
    bad["pages"] = json!([]);
    let before = admin.get("/api/addons").await.json();
    let form = json!({ "name": "shed", "url": "", "token": token, "manifest": bad });
    assert_eq!(
        admin.post("/api/addons/register", &form).await.problem(),
        "bad-manifest"
    );
    assert_eq!(admin.get("/api/addons").await.json(), before);
    let form = json!({ "name": "shed", "url": "", "token": token, "manifest": manifest() });
    assert_eq!(
        admin.post("/api/addons/register", &form).await.status,
        201,
        "the token is still free"
    );
    for url in ["ftp://x", "http://169.254.169.254/", "http://u:p@host", "nonsense"] {
        let form = json!({ "name": "shed", "url": url });
        assert_eq!(
            admin.post("/api/addons/register", &form).await.problem(),
            "bad-url",
            "{url}"
        );
    }
}
