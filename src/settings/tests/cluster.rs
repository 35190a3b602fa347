//! The section `cluster`.

use super::*;

const REDIS: &str = r#""redis://HOST:PORT/DATABASE" or "rediss://…", without user and password; an object such as {"sentinels": ["HOST:26379"], "name": "wschat"}; or null"#;

/// Settings of a cluster on one server, and these keys.
fn with(keys: &str) -> String {
    format!(r#"{{"cluster":{{"redis":"redis://a",{keys}}}}}"#)
}

#[test]
fn none_is_the_default() {
    assert_eq!(accepted(r#"{"cluster":null}"#), Settings::default());
    assert_eq!(accepted(r#"{"cluster":{"redis":null}}"#), Settings::default());
    assert_eq!(accepted(r#"{"cluster":{"tls":false}}"#), Settings::default());
    refused(
        r#"{"cluster":{"prefix":"other"}}"#,
        &[
            "cluster.redis is null, but other keys of cluster are set; allowed: all of them with cluster.redis, or none",
        ],
    );
    refused(r#"{"cluster":7}"#, &["cluster is 7; allowed: an object"]);
}

#[test]
fn urls() {
    let url = |has_tls, host: &str, port, database| RedisUrl {
        has_tls,
        host: host.to_owned(),
        port,
        database,
    };
    for (text, expected) in [
        ("redis://one", url(false, "one", 6379, 0)),
        ("redis://one/", url(false, "one", 6379, 0)),
        ("rediss://one.example.org:7000/2", url(true, "one.example.org", 7000, 2)),
        ("valkey://127.0.0.1:1", url(false, "127.0.0.1", 1, 0)),
        ("valkeys://[::1]/15", url(true, "::1", 6379, 15)),
        ("redis://[::1]:7", url(false, "::1", 7, 0)),
    ] {
        assert_eq!(RedisUrl::parse(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "one:6379",
        "http://one",
        "redis:one",
        "redis://",
        "redis:///0",
        "redis://one:0",
        "redis://one:65536",
        "redis://one:+1",
        "redis://one:x",
        "redis://::1",
        "redis://[::1",
        "redis://[one]",
        "redis://[::1]7",
        "redis://one/-1",
        "redis://one/a",
        "redis://one/0/1",
        "redis://one/99999999999",
        "redis://one?db=1",
    ] {
        assert_eq!(RedisUrl::parse(text), None, "{text}");
    }
}

#[test]
fn servers() {
    let settings = accepted(r#"{"cluster":{"redis":"redis://a:1/2"}}"#).cluster;
    assert_eq!(settings.redis, Some(RedisServers::Url("redis://a:1/2".to_owned())));
    assert_eq!(settings.source(), ReadFrom::Master);
    let json = r#"{"cluster":{"redis":{"sentinels":["a","b:1","[::1]:2"],"name":"wschat"}}}"#;
    let settings = accepted(json).cluster;
    let sentinels = ["a", "b:1", "[::1]:2"].map(str::to_owned).to_vec();
    let name = "wschat".to_owned();
    assert_eq!(settings.redis, Some(RedisServers::Sentinel { sentinels, name }));
    assert_eq!(settings.source(), ReadFrom::Replica);
    assert_eq!(ClusterSettings::sentinel("a"), Some(("a".to_owned(), 26379)));
    let master = accepted(&with(r#""readFrom":"replica""#)).cluster;
    assert_eq!(master.source(), ReadFrom::Replica);

    refused(
        r#"{"cluster":{"redis":"a:1"}}"#,
        &[&format!("cluster.redis is the string \"a:1\"; allowed: {REDIS}")],
    );
    for object in [
        r#"{"sentinels":["a"]}"#,
        r#"{"name":"a"}"#,
        r#"{"sentinels":"a","name":"a"}"#,
        r#"{"sentinels":[1],"name":"a"}"#,
        r#"{"sentinels":["a"],"name":"a","port":1}"#,
    ] {
        refused(
            &json_with("cluster.redis", object),
            &[&format!("cluster.redis is an object; allowed: {REDIS}")],
        );
    }
    refused(
        r#"{"cluster":{"redis":{"sentinels":["a","b:0"],"name":""}}}"#,
        &[
            r#"cluster.redis.sentinels[1] is "b:0"; allowed: "HOST:PORT" such as "one.example.org:26379""#,
            r#"cluster.redis.name is ""; allowed: the name of the master in the settings of the sentinels ("sentinel monitor NAME …")"#,
        ],
    );
    refused(
        r#"{"cluster":{"redis":{"sentinels":[],"name":"a"}}}"#,
        &["cluster.redis.sentinels is an empty list; allowed: at least one address"],
    );
}

#[test]
fn a_password_of_the_url_is_refused_and_not_shown() {
    let error = Settings::from_json(r#"{"cluster":{"redis":"redis://me:secret@a"}}"#).unwrap_err();
    let [mistake] = error.mistakes() else { panic!("{error}") };
    assert!(mistake.contains("set cluster.username and cluster.passwordFile"), "{mistake}");
    assert!(!mistake.contains("secret"), "{mistake}");
}

#[test]
fn values() {
    let settings = accepted(&with(
        r#""prefix":"a:b","leaseMs":1000,"node":"n-1","username":"u","passwordFile":"/p""#,
    ));
    assert_eq!(settings.cluster.lease_ms, 1000);
    refused(
        &with(r#""prefix":"","leaseMs":999,"node":"a b","username":"a b""#),
        &[
            r#"cluster.prefix is ""; allowed: a name of 1 to 64 letters, digits, "-", "_", "." and ":", in ASCII"#,
            "cluster.leaseMs is 999; allowed: a whole number from 1000 to 60000 (ms)",
            r#"cluster.node is "a b"; allowed: a name of 1 to 64 letters, digits, "-", "_" and ".", in ASCII, or null for the host name"#,
            r#"cluster.username is "a b"; allowed: the name of an ACL user of Redis, without spaces, or null"#,
        ],
    );
    refused(
        &with(r#""username":"u""#),
        &[
            "cluster.username is set but cluster.passwordFile is not; allowed: both, only cluster.passwordFile, or neither",
        ],
    );
    refused(
        r#"{"cluster":{"redis":"redis://a"},"history":{"file":"h.db"}}"#,
        &[
            "history.file and cluster.redis are both set, but a cluster keeps its history in Redis; take the file into it with \"wschat cluster import\", and set history.file to null",
        ],
    );
}

#[cfg(all(feature = "cluster", feature = "tls"))]
#[test]
fn tls() {
    let tls = |json: &str| accepted(&with(&format!(r#""tls":{json}"#))).cluster.tls;
    assert_eq!(tls("null"), None);
    assert_eq!(tls("false"), None);
    assert_eq!(tls("true"), Some(RedisTls::default()));
    let ca = RedisTls { ca: Some("ca.pem".into()), ..RedisTls::default() };
    assert_eq!(tls(r#"{"ca":"ca.pem","cert":null}"#), Some(ca));
    refused(
        &with(r#""tls":{"cert":"c"}"#),
        &["of cluster.tls.cert and cluster.tls.key, only one is set; allowed: both, or neither"],
    );
    refused(
        &with(r#""tls":{"ca":""}"#),
        &[r#"cluster.tls.ca is ""; allowed: the path of a file, or null"#],
    );
    refused(
        &with(r#""tls":{"pem":"c"}"#),
        &[
            r#"cluster.tls is an object; allowed: true, an object such as {"ca": "PATH", "cert": "PATH", "key": "PATH"}, or null"#,
        ],
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    let all = r#""passwordFile":"p","tls":{"ca":"ca","cert":"/c","key":"k"}"#;
    std::fs::write(&file, with(all)).unwrap();
    let settings = Settings::load(&file).unwrap().cluster;
    let tls = settings.tls.unwrap();
    let files = [settings.password_file, tls.ca, tls.cert, tls.key].map(Option::unwrap);
    let expected = ["p", "ca", "/c", "k"].map(|name| directory.path().join(name));
    assert_eq!(files, expected);
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_refuses_it() {
    for json in [r#"{"cluster":{"redis":"rediss://a"}}"#.to_owned(), with(r#""tls":true"#)] {
        let error = Settings::from_json(&json).unwrap_err();
        let mistake = error.mistakes().last().unwrap();
        assert!(
            mistake.starts_with(
                "cluster has TLS, but this wschat was built without the feature `tls`"
            ),
            "{error}"
        );
    }
}
