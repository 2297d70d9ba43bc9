use super::*;

fn target(address: &str) -> Result<ZooKeeperTarget, BadAddress> {
    ZooKeeperTarget::of(&address.parse().unwrap())
}

#[test]
fn an_address_says_where_a_cluster_is() {
    let short = target("zookeeper://h/flink/default/").unwrap();
    assert_eq!(
        (&*short.hosts.to_string(), &*short.base),
        ("h:2181", "/flink/default")
    );
    assert!(short.hosts.login().is_none() && short.tls().unwrap().is_none());
    assert_eq!(target("zookeeper://h").unwrap().base, "");
    assert_eq!(target("zookeeper://h/").unwrap().base, "");
    let long = target("zookeeper://u%40:p@h1:1,[::1]:2,h3/root/a/b?session-timeout=4s").unwrap();
    assert_eq!(long.hosts.to_string(), "h1:1,[::1]:2,h3:2181");
    assert_eq!(long.base, "/root/a/b");
    let login = long.hosts.login().unwrap();
    assert_eq!((&*login.user, &*login.password), ("u@", "p"));
    assert_eq!(long.session_timeout, Duration::from_secs(4));
}

#[test]
fn an_unusable_address_says_why_without_the_password() {
    for (address, why) in [
        ("zookeeper:///flink/a", "no host"),
        ("zookeeper://h:x/flink/a", "its port"),
        ("zookeeper://h/flink//a", "accepts no node of the name"),
        ("zookeeper://secret@h/flink/a", "not user:password"),
        (
            "zookeeper://h/flink/a?presence=on",
            "no option \"presence\"",
        ),
        ("zookeeper://h/flink/a?session-timeout=1h", "500ms to 10min"),
        ("zookeeper://h/flink/a?cert=c&key=k", "need ca"),
        ("zookeeper://h/flink/a?ca=c&key=k", "go together"),
        ("zookeeper://u:secret@h/flink/a?x=y", "no option \"x\""),
    ] {
        let Err(error) = target(address) else {
            panic!("{address} is accepted");
        };
        let text = error.to_string();
        assert!(
            text.contains(why) && !text.contains("secret"),
            "{address}: {text}"
        );
    }
}

#[test]
fn a_file_for_tls_is_read_or_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let made = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
    write("good.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    write("junk.pem", "junk");
    let read = |options: &str| {
        let options = options.replace('=', &format!("={}/", dir.path().display()));
        target(&format!("zookeeper://h/flink/a?{options}"))
            .unwrap()
            .tls()
    };
    assert!(read("ca=good.pem").unwrap().is_some());
    let whole = "ca=good.pem&cert=good.pem&key=key.pem";
    assert!(read(whole).unwrap().is_some());
    for (options, file) in [
        ("ca=none.pem", "none.pem"),
        ("ca=junk.pem", "junk.pem"),
        ("ca=good.pem&cert=junk.pem&key=key.pem", "junk.pem"),
        ("ca=good.pem&cert=good.pem&key=none.pem", "none.pem"),
    ] {
        let Err(error) = read(options) else {
            panic!("{options} is accepted");
        };
        let file = dir.path().join(file).display().to_string();
        assert!(error.to_string().contains(&file), "{options}: {error}");
    }
}
