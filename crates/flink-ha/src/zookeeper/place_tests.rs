use super::*;

fn place(address: &str) -> Result<ZooKeeperPlace, FlinkError> {
    ZooKeeperPlace::of(&address.parse().unwrap())
}

#[test]
fn an_address_says_where_a_cluster_is() {
    let short = place("zookeeper://h/flink/default/").unwrap();
    assert_eq!((&*short.hosts, &*short.base), ("h:2181", "/flink/default"));
    assert!(short.login.is_none() && short.tls.is_none());
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
        (
            "zookeeper://u:secret@h/flink/a?ca=/none/such",
            "cannot read",
        ),
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
