use super::*;

fn place(address: &str) -> Result<ZooKeeperPlace, BadAddress> {
    ZooKeeperPlace::of(&address.parse().unwrap())
}

#[test]
fn an_address_says_where_a_cluster_is() {
    let short = place("zookeeper://h/flink/default/").unwrap();
    assert_eq!((&*short.hosts, &*short.base), ("h:2181", "/flink/default"));
    assert!(short.login.is_none() && short.tls().unwrap().is_none());
    let long = place("zookeeper://u%40:p@h1:1,[::1]:2,h3/root/a/b?session-timeout=4s").unwrap();
    assert_eq!(long.hosts, "h1:1,[::1]:2,h3:2181");
    assert_eq!(long.base, "/root/a/b");
    assert_eq!(long.login.as_deref(), Some("u@:p"));
    assert_eq!(long.session_timeout, Duration::from_secs(4));
}

#[test]
fn what_cannot_be_used_says_why_and_not_the_password() {
    for (address, why) in [
        ("zookeeper://h", "names no cluster"),
        ("zookeeper://h/", "names no cluster"),
        ("zookeeper:///flink/a", "no host and port"),
        ("zookeeper://h:x/flink/a", "no host and port"),
        ("zookeeper://h/flink//a", "no node of the name"),
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
        let Err(error) = place(address) else {
            panic!("{address} is taken");
        };
        let text = error.to_string();
        assert!(
            text.contains(why) && !text.contains("secret"),
            "{address}: {text}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let made = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    write("good.pem", &certificate);
    write("key.pem", &made.signing_key.serialize_pem());
    write("junk.pem", "junk");
    std::fs::write(dir.path().join("bytes.pem"), [0xff]).unwrap();
    write("cut.pem", certificate.split_at(100).0);
    let read = |ca: &str, identity: Option<(&str, &str)>| {
        let mut address = format!("zookeeper://h/flink/a?ca={}/{ca}", dir.path().display());
        if let Some((cert, key)) = identity {
            let dir = dir.path().display();
            address += &format!("&cert={dir}/{cert}&key={dir}/{key}");
        }
        place(&address).unwrap().tls()
    };
    assert!(read("good.pem", None).unwrap().is_some());
    let whole = Some(("good.pem", "key.pem"));
    assert!(read("good.pem", whole).unwrap().is_some());
    for (ca, identity, file, why) in [
        ("none.pem", whole, "none.pem", "No such file"),
        ("junk.pem", None, "junk.pem", "no valid tls trust anchor"),
        ("bytes.pem", None, "bytes.pem", "UTF-8"),
        ("cut.pem", None, "cut.pem", "fail to read ca"),
        (
            "good.pem",
            Some(("none.pem", "key.pem")),
            "none.pem",
            "No such file",
        ),
        (
            "good.pem",
            Some(("junk.pem", "key.pem")),
            "junk.pem",
            "no certificate",
        ),
        (
            "good.pem",
            Some(("cut.pem", "key.pem")),
            "cut.pem",
            "fail to read cert",
        ),
        (
            "good.pem",
            Some(("good.pem", "none.pem")),
            "none.pem",
            "No such file",
        ),
        (
            "good.pem",
            Some(("good.pem", "good.pem")),
            "good.pem",
            "no client private key",
        ),
    ] {
        let Err(error) = read(ca, identity) else {
            panic!("{ca} {identity:?} is taken");
        };
        assert_eq!(
            error.to_string(),
            format!("cannot use {}", dir.path().join(file).display())
        );
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(why), "{ca} {identity:?}: {cause}");
    }
}
