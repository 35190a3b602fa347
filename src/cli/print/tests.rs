use std::path::Path;

use wschat::{HistorySettings, Limits, LogSettings, Settings};

use super::{Proxied, SitePath, caddy, nginx, systemd};

fn chat() -> Settings {
    Settings {
        domain: Some("chat.example.org".to_owned()),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..Settings::default()
    }
}

#[track_caller]
fn check_proxies(settings: &Settings, path: &str, in_nginx: &[&str], in_caddy: &[&str]) {
    let path = SitePath::parse(path).unwrap();
    let proxied = Proxied::new(settings, &path).unwrap();
    for (text, words) in [(nginx::site(&proxied), in_nginx), (caddy::site(&proxied), in_caddy)] {
        for word in words {
            match word.strip_prefix('!') {
                Some(word) => assert!(!text.contains(word), "{word:?} is in {text}"),
                None => assert!(text.contains(word), "{word:?} is not in {text}"),
            }
        }
    }
}

#[test]
fn a_proxy_reaches_the_server_where_it_listens() {
    for (host, port, upstream) in [
        ("127.0.0.1", 8776, "127.0.0.1:8776"),
        ("0.0.0.0", 9000, "127.0.0.1:9000"),
        ("::", 8776, "[::1]:8776"),
        ("2001:db8::1", 8776, "[2001:db8::1]:8776"),
        ("localhost", 8776, "localhost:8776"),
    ] {
        let mut settings = Settings { host: host.to_owned(), port, ..chat() };
        let pass = |scheme, end| format!("proxy_pass {scheme}://{upstream}{end};");
        let reverse = format!("reverse_proxy {upstream} {{");
        check_proxies(&settings, "/", &[&pass("http", ""), "location / {"], &[&reverse]);
        let below = ["!server {", &pass("http", "/"), "location /chat/ {"];
        check_proxies(&settings, "/chat", &below, &["handle_path /chat/* {", &reverse]);

        settings.certificate = Some("/certificate.pem".into());
        let reverse = format!("reverse_proxy https://{upstream} {{");
        check_proxies(&settings, "/", &[&pass("https", "")], &[&reverse, "tls_"]);
    }
}

#[test]
fn a_proxy_takes_the_socket_and_no_address_with_the_proxy_protocol() {
    let listen = |addresses: &[&str]| Settings {
        listen: addresses.iter().map(|&address| address.into()).collect(),
        certificate: Some("/certificate.pem".into()),
        trusted_proxies: Vec::new(),
        ..chat()
    };
    let socket = listen(&["[::]:443", "unix:/run/wschat/ws.sock"]);
    let reverse = ["!trustedProxies", "reverse_proxy unix//run/wschat/ws.sock {"];
    check_proxies(&socket, "/", &["proxy_pass http://unix:/run/wschat/ws.sock;"], &reverse);
    check_proxies(&socket, "/a", &["proxy_pass http://unix:/run/wschat/ws.sock:/;"], &reverse);
    let port = listen(&["systemd", "[::]:9000"]);
    check_proxies(&port, "/", &["proxy_pass https://[::1]:9000;", "trustedProxies"], &[]);
    let words = ["If wschat.socket has another address", "127.0.0.1:8776"];
    check_proxies(&listen(&["systemd"]), "/", &words, &words);

    let mut headers = listen(&["127.0.0.1:1", "127.0.0.1:2"]);
    headers.listen[0].proxy_protocol = true;
    check_proxies(&headers, "/", &["127.0.0.1:2"], &["127.0.0.1:2"]);
    headers.listen[1].proxy_protocol = true;
    let path = SitePath::parse("/").unwrap();
    let error = Proxied::new(&headers, &path).err().expect("there is none").to_string();
    assert!(error.contains("add one without"), "{error}");
}

#[test]
fn a_proxy_waits_for_the_ping_and_its_answer() {
    let with = |ping_interval_ms| Settings {
        limits: Limits { ping_interval_ms, pong_timeout_ms: 8_000, ..Limits::default() },
        ..chat()
    };
    check_proxies(&with(25_000), "/", &["proxy_read_timeout 60s;"], &[]);
    check_proxies(&with(120_001), "/", &["proxy_read_timeout 139s;"], &[]);
}

#[test]
fn what_the_settings_lack_is_said() {
    check_proxies(&chat(), "/", &["!settings", "server_name chat.example.org;"], &["!settings"]);
    let (trust, domain) = ("\"trustedProxies\": [\"::1\"]", "set \"domain\"");
    let bare = Settings { host: "::".to_owned(), ..Settings::default() };
    check_proxies(&bare, "/", &[trust, domain, "server_name _;"], &[trust, domain, ":80 {"]);
}

#[test]
fn a_path_is_plain() {
    for (text, path) in [("/", "/"), ("/chat", "/chat/"), ("/a/b.c_d~e-f/", "/a/b.c_d~e-f/")] {
        assert_eq!(SitePath::parse(text).unwrap().to_string(), path);
    }
    for text in ["", "chat/", "/a b", "/a;b", "/{", "//", "/a//b", "/ä", "/a\n", "/*"] {
        assert!(SitePath::parse(text).is_err(), "{text:?}");
    }
}

#[track_caller]
fn check_unit(settings: &Settings, words: &[&str]) {
    let (file, program) = (Path::new("/srv/chat.json"), Path::new("/usr/bin/wschat"));
    let unit = systemd::unit(settings, Some(file), program);
    assert!(unit.contains("\nExecStart=/usr/bin/wschat --settings /srv/chat.json\n"), "{unit}");
    // The settings say where the admin listener is.
    assert!(
        unit.contains("\nExecReload=/usr/bin/wschat reload --settings /srv/chat.json\n"),
        "{unit}"
    );
    let own = unit.split_once("# What these settings demand.\n").map_or("", |(_, own)| own);
    let own = own.split("\n\n[Install]\n").next().unwrap();
    for word in words {
        assert!(own.contains(word), "{word:?} is not in {own:?} of {unit}");
    }
    assert_eq!(words.is_empty(), own.is_empty(), "{own:?}");
}

#[test]
fn a_service_may_do_what_its_settings_demand() {
    check_unit(&chat(), &[]);
    check_unit(&Settings { port: 8776, ..chat() }, &[]);
    check_unit(&Settings { port: 443, ..chat() }, &[]);

    let with = |max_connections, drain_timeout_ms| Settings {
        limits: Limits { max_connections, drain_timeout_ms, ..Limits::default() },
        ..chat()
    };
    check_unit(&with(65_000, 5_000), &[]);
    check_unit(&with(70_000, 5_000), &["TasksMax=70256\nLimitNOFILE=140000"]);
    check_unit(&with(0, 5_000), &["TasksMax=infinity\nLimitNOFILE=infinity"]);
    check_unit(&with(64, 60_000), &["TimeoutStopSec=70"]);

    let with = |history: &str, log: &str| Settings {
        history: HistorySettings { file: Some(history.into()), ..HistorySettings::default() },
        log: LogSettings { file: Some(log.into()), ..LogSettings::default() },
        ..chat()
    };
    check_unit(&with("/var/lib/wschat/chat.db", "/var/lib/wschat/log"), &[]);
    check_unit(&with("/srv/chat/chat.db", "/srv/chat/log"), &["ReadWritePaths=/srv/chat"]);
    check_unit(&with("/home/ann/chat.db", "/var/lib/wschat/log"), &["ProtectHome=no"]);

    let socket = |path: &str| Settings { listen: vec![path.into()], ..chat() };
    check_unit(&socket("unix:/run/wschat/ws.sock"), &[]);
    check_unit(&socket("unix:/srv/chat/ws.sock"), &["ReadWritePaths=/srv/chat"]);

    let with_key = |key: &Path| Settings {
        certificate: Some("/certificate.pem".into()),
        private_key: Some(key.to_owned()),
        ..chat()
    };
    let words =
        ["LoadCredential=certificate:/certificate.pem\n", "LoadCredential=key:/nowhere.pem"];
    check_unit(&with_key(Path::new("/nowhere.pem")), &words);
    check_unit(&with_key(Path::new("/run/credentials/wschat.service/key")), &[]);
    check_unit(&with_key(Path::new("/etc/passwd")), &[]);
}
