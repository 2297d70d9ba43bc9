use std::time::Duration;

use super::{Settings, Watching};

fn settings(address: &str) -> Result<Settings, String> {
    let parsed = address.parse().map_err(|bad| format!("{bad}"))?;
    Settings::of(&parsed).map_err(|error| error.to_string())
}

#[test]
fn an_address_says_where_and_how() {
    let all = "zookeeper://us%40er:pass%3Aword@h1:2181,h2,[::1]:99,[::2]/a/b%20c/?session-timeout=4s&watch=nodes";
    let all = settings(all).unwrap();
    assert_eq!(all.hosts.to_string(), "h1:2181,h2:2181,[::1]:99,[::2]:2181");
    assert_eq!(all.base, "/a/b c");
    let login = all.hosts.login().unwrap();
    assert_eq!((&*login.user, &*login.password), ("us@er", "pass:word"));
    assert_eq!(all.session_timeout, Duration::from_secs(4));
    assert_eq!(all.watch, Watching::Nodes);
    assert!(!all.presence);
    assert!(settings("zookeeper://h?presence=on").unwrap().presence);
    let least = settings("zookeeper://h").unwrap();
    assert_eq!(
        (&*least.hosts.to_string(), &*least.base),
        ("h:2181", "/incumbent")
    );
    assert!(least.hosts.login().is_none() && least.tls.is_none());
    assert_eq!(settings("zookeeper://h/").unwrap().base, "/incumbent");
}

#[test]
fn what_cannot_be_meant_is_refused_and_says_why() {
    for (address, why) in [
        ("zookeeper://", "no host"),
        ("zookeeper:/a", "no host"),
        ("zookeeper://h:0/a", "port"),
        ("zookeeper://h:x/a", "port"),
        ("zookeeper://h1,,h2/a", "no host"),
        ("zookeeper://::1:2181/a", "IPv6 in brackets"),
        ("zookeeper://h/a//b", "no node"),
        ("zookeeper://h/a/../b", "no node"),
        ("zookeeper://h/a%00b", "no node"),
        ("zookeeper://h/zookeeper/quota", "own"),
        ("zookeeper://h/a?sync=full", "no option \"sync\""),
        ("zookeeper://h/a?tls=on", "only session-timeout, watch"),
        ("zookeeper://h/a?session-timeout=10", "500ms"),
        ("zookeeper://h/a?session-timeout=1ms", "500ms"),
        ("zookeeper://h/a?watch=polling", "any or nodes"),
        ("zookeeper://h/a?presence=yes", "on or off"),
        ("zookeeper://h/a?cert=/c&key=/k", "need ca"),
        ("zookeeper://h/a?ca=/no/such/file", "/no/such/file"),
        ("zookeeper://user@h/a", "user:password"),
        ("zookeeper://:secret@h/a", "user:password"),
        ("file:///a", "scheme"),
    ] {
        let error = settings(address).err().expect(address);
        assert!(error.contains(why), "{address}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
