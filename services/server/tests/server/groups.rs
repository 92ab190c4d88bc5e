//! Groups of drives.

use serde_json::json;

use crate::box_::Box_;

/// Groups of drives as existing dashboards make them; rules that a channel has for a group follow its drives.
#[tokio::test]
async fn groups_of_drives_have_members_and_alert_rules_follow_them() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let group = json!({ "name": "array 1", "color": "#112233" });
    let answer = admin.post("/api/drive-groups", &group).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_u64().unwrap();
    assert_eq!(
        (&answer.json()["color"], &answer.json()["member_count"]),
        (&json!("#112233"), &json!(0))
    );
    assert_eq!(admin.post("/api/drive-groups", &group).await.problem(), "group-taken");
    for name in [" ", "g\u{0}", "a\r\nb"] {
        let answer = admin.post("/api/drive-groups", &json!({ "name": name })).await;
        assert_eq!(answer.problem(), "bad-field", "{name:?}");
    }
    assert_eq!(
        admin
            .post("/api/drive-groups", &json!({ "name": "x", "color": "red;" }))
            .await
            .problem(),
        "bad-field"
    );
    let other = admin
        .post("/api/drive-groups", &json!({ "name": "spare" }))
        .await
        .json();
    assert_eq!(other["color"], "#6366f1");
    let members = |id: &serde_json::Value| format!("/api/drive-groups/{id}/members");
    let drive = json!({ "hostname": "nas", "serial_number": "WD-1" });
    for path in [members(&other["id"]), members(&json!(id)), members(&json!(id))] {
        assert_eq!(admin.post(&path, &drive).await.json(), json!({ "status": "assigned" }));
    }
    assert_eq!(
        admin.get("/api/drive-groups/assignments").await.json(),
        json!({ "nas:WD-1": id })
    );
    let shown = admin.get(&format!("/api/drive-groups/{id}")).await.json();
    assert_eq!(shown["group"]["name"], "array 1");
    assert_eq!(shown["members"][0]["serial_number"], "WD-1");
    assert_eq!(shown["members"][0]["group_id"], id);
    let list = admin.get("/api/drive-groups").await.json();
    assert_eq!(
        list.as_array()
            .unwrap()
            .iter()
            .map(|g| g["member_count"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [1, 0]
    );
    let answer = admin
        .put(
            &format!("/api/drive-groups/{id}"),
            &json!({ "name": "array 2", "color": "" }),
        )
        .await;
    assert_eq!(answer.json(), json!({ "status": "updated" }));
    assert_eq!(
        admin.delete("/api/drive-groups/members/nas/WD-1").await.json(),
        json!({ "status": "unassigned" })
    );
    assert_eq!(admin.get("/api/drive-groups/assignments").await.json(), json!({}));
    assert_eq!(
        admin.delete(&format!("/api/drive-groups/{id}")).await.json(),
        json!({ "status": "deleted" })
    );
    assert_eq!(
        admin.get(&format!("/api/drive-groups/{id}")).await.problem(),
        "group-unknown"
    );
    assert_eq!(
        admin.post(&members(&json!(99)), &drive).await.problem(),
        "group-unknown"
    );
}
