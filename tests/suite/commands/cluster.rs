//! The commands on a cluster, against a scripted admin listener.

use serde_json::{Value, json};

use super::{Admin, check, run, status, stdout};

#[test]
fn cluster_status_shows_the_cluster_with_its_nodes() {
    let node = |name: &str, level: u64, is_this: bool| {
        json!({
            "id": "00000000000000ff", "name": name, "version": "1.2.0", "level": level, "users": 1_200,
            "silentMs": 1_400, "isThis": is_this, "isLeaving": !is_this, "isKeeper": is_this,
        })
    };
    let mut answer = json!({
        "nodes": [node("one\n", 3, true), node("two", 2, false)], "level": 2, "keeper": "one\n",
        "place": { "term": 1_795_531_205_000_u64, "n": 4_711 }, "lagMs": 2, "roundTripUs": 1_649,
        "awaySince": null, "snapshot": { "n": 4_000, "at": i64::MAX, "bytes": 70_000 },
        "redis": {
            "writesTo": "10.0.0.1:6379", "readsFrom": null, "bytes": 8_000_000, "maxBytes": null,
        },
        "rejoins": 3, "forks": 2, "differences": 1, "repeatedBatches": 0,
    });
    let lines = "\
log          not connected at the moment: texts wait
place        entry 4,711 of term 1795531205000
delay        1.64 ms through the log and back, 2 ms behind it
writes to    10.0.0.1:6379
reads from   no server: not connected
memory       7.6 MiB, without a limit, in Redis
keeper       one\\n
snapshot     0 s ago, 68 KiB, up to entry 4,000
level        2, until the nodes of that level are upgraded
since start  joined anew 3 times, losses of the log 2, differences from other nodes 1

NODE   VERSION  LEVEL  USERS  HEARD OF
one\\n  1.2.0        3  1,200   1 s ago  this node, keeper
two    1.2.0        2  1,200   1 s ago  leaving
";
    check(&["cluster", "status"], "GET /v1/cluster ", &answer, lines);

    let printed =
        |answer: &Value| stdout(&Admin::json("200 OK", answer).run(&["cluster", "status"]));
    answer["awaySince"] = json!(0);
    let away = printed(&answer);
    assert!(away.contains("since 1970-01-01T00:00:00Z: messages are refused"), "{away}");
    assert!(away.contains(
        "\nThe nodes as of 1970-01-01T00:00:00Z, when this one last heard of them:\nNODE"
    ));
    answer["awaySince"] = json!(null);
    answer["redis"]["readsFrom"] = json!("10.0.0.2:6379");
    assert!(printed(&answer).starts_with("log          all is well\n"));
    let output = run(&["cluster"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn status_of_a_node_says_where_the_history_is() {
    let mut answer = status();
    answer["history"] =
        json!({ "file": null, "isSaving": true, "fileBytes": null, "isShared": true });
    let printed = stdout(&Admin::json("200 OK", &answer).run(&["status"]));
    assert!(printed.contains("\nhistory      in Redis\n"), "{printed}");
}
