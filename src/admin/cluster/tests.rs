use std::sync::atomic::Ordering::Relaxed;

use super::*;

fn node(id: u64, name: &str, level: u32) -> NodeStatus {
    NodeStatus {
        id,
        name: name.to_owned(),
        version: "1.2.0".to_owned(),
        level,
        silent_ms: 40,
        is_this: id == 1,
        is_leaving: false,
        users: 17,
    }
}

/// Of a node that knows everything.
fn figures() -> Figures {
    let figures = Figures::default();
    figures.set_nodes(vec![node(1, "one", 3), node(u64::MAX, "two", 2)]);
    figures.set_keeper(Some("two"));
    figures.set_writes_to(Some("10.0.0.1:6379"));
    figures.set_reads_from(Some("10.0.0.2:6379"));
    figures.set_reads_from(Some("10.0.0.3:6379"));
    for (figure, value) in [
        (&figures.term, 1_795_531_205_000),
        (&figures.n, 4_711),
        (&figures.round_trip_us, 640),
        (&figures.lag_ms, 2),
        (&figures.entries, 5_000),
        (&figures.commands, 9_000),
        (&figures.repeated_batches, 4),
        (&figures.rejoins, 3),
        (&figures.forks, 2),
        (&figures.differences, 1),
        (&figures.snapshot_n, 4_000),
        (&figures.snapshot_at, 1_795_531_200_500),
        (&figures.snapshot_bytes, 70_000),
        (&figures.trimmed, 2_000),
        (&figures.redis_bytes, 8_000_000),
        (&figures.redis_max_bytes, 64_000_000),
    ] {
        figure.store(value, Relaxed);
    }
    figures
}

fn page(figures: &Figures) -> String {
    let mut page = Page::new(&[&FAMILIES]);
    page.cluster(figures);
    page.into_text()
}

#[test]
fn each_figure_is_shown_under_its_own_name() {
    let page = page(&figures());
    for (name, ..) in FAMILIES {
        assert_eq!(page.matches(&format!("# TYPE {name} ")).count(), 1, "{name}\n{page}");
    }
    let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            "wschat_cluster_nodes 2",
            "wschat_cluster_log_away 0",
            "wschat_cluster_term 1795531205000",
            "wschat_cluster_place 4711",
            "wschat_cluster_lag_seconds 0.002",
            "wschat_cluster_round_trip_seconds 0.00064",
            "wschat_cluster_entries_total 5000",
            "wschat_cluster_commands_total 9000",
            "wschat_cluster_repeated_batches_total 4",
            "wschat_cluster_connections_total{purpose=\"write\"} 1",
            "wschat_cluster_connections_total{purpose=\"read\"} 2",
            "wschat_cluster_rejoins_total 3",
            "wschat_cluster_forks_total 2",
            "wschat_cluster_differences_total 1",
            "wschat_cluster_keeper 0",
            "wschat_cluster_snapshot_timestamp_seconds 1795531200.5",
            "wschat_cluster_snapshot_bytes 70000",
            "wschat_cluster_snapshot_place 4000",
            "wschat_cluster_trimmed_total 2000",
            "wschat_cluster_redis_memory_bytes 8000000",
            "wschat_cluster_redis_max_memory_bytes 64000000",
        ]
    );
}

#[test]
fn what_is_not_known_yet_is_left_out() {
    let page = page(&Figures::default());
    for name in ["round_trip_seconds", "snapshot", "redis_memory_bytes", "redis_max_memory_bytes"] {
        assert!(!page.contains(&format!("wschat_cluster_{name}")), "{name}\n{page}");
    }
    assert!(page.contains("\nwschat_cluster_nodes 0\n"), "{page}");
    let shown = show(Some(&Figures::default())).unwrap();
    for key in ["level", "keeper", "roundTripUs", "awaySince", "snapshot"] {
        assert_eq!(shown[key], Value::Null, "{key}");
    }
}

#[test]
fn a_log_that_is_away_is_told_with_its_time() {
    let figures = figures();
    figures.away_since.store(1_795_531_206_000, Relaxed);
    assert!(page(&figures).contains("\nwschat_cluster_log_away 1\n"));
    assert_eq!(show(Some(&figures)).unwrap()["awaySince"], 1_795_531_206_000_u64);
}

#[test]
fn the_nodes_are_listed_with_the_keeper() {
    let figures = figures();
    let shown = show(Some(&figures)).unwrap();
    assert_eq!((&shown["level"], &shown["keeper"]), (&json!(2), &json!("two")));
    assert_eq!(
        shown["nodes"][1],
        json!({
            "id": "ffffffffffffffff",
            "name": "two",
            "version": "1.2.0",
            "level": 2,
            "users": 17,
            "silentMs": 40,
            "isThis": false,
            "isLeaving": false,
            "isKeeper": true,
        })
    );
    assert_eq!(
        shown["redis"],
        json!({
            "writesTo": "10.0.0.1:6379",
            "readsFrom": "10.0.0.3:6379",
            "bytes": 8_000_000,
            "maxBytes": 64_000_000,
        })
    );
    // Of itself the node knows it first.
    figures.is_keeper.store(true, Relaxed);
    assert_eq!(show(Some(&figures)).unwrap()["keeper"], "one");
    assert!(page(&figures).contains("\nwschat_cluster_keeper 1\n"));
}

#[test]
fn a_node_that_was_restarted_is_listed_twice_and_counted_once() {
    let figures = figures();
    let before = NodeStatus { is_leaving: true, ..node(9, "two", 2) };
    figures.set_nodes(vec![node(10, "two", 3), before, node(1, "one", 3)]);
    assert!(page(&figures).contains("\nwschat_cluster_nodes 2\n"));
    let shown = show(Some(&figures)).unwrap();
    let nodes = shown["nodes"].as_array().unwrap();
    let marks =
        |node: &Value| (node["name"].clone(), node["isLeaving"] == true, node["isKeeper"] == true);
    let marks: Vec<_> = nodes.iter().map(marks).collect();
    let expected = [("one", false, false), ("two", true, false), ("two", false, true)];
    assert_eq!(marks, expected.map(|(name, leaves, keeps)| (json!(name), leaves, keeps)));
}

#[test]
fn a_server_that_is_no_node_says_so() {
    let (status, error) = show(None).unwrap_err();
    assert_eq!(status, 404);
    assert!(error.contains("no \"cluster\" in its settings"), "{error}");
}
