use std::time::Duration;

use super::Settings;

fn settings(address: &str) -> Result<Settings, String> {
    let parsed = address.parse().map_err(|bad| format!("{bad}"))?;
    Settings::of(&parsed).map_err(|error| error.to_string())
}

#[test]
fn an_address_says_where_and_how() {
    let all = "etcd://us%40er:pass%3Aword@h1:2379,h2,[::1]:99,[::2]/a/b%20c/?timeout=2s";
    let all = settings(all).unwrap();
    assert_eq!(all.hosts.to_string(), "h1:2379,h2:2379,[::1]:99,[::2]:2379");
    assert_eq!(all.base, "/a/b c");
    assert_eq!(all.timeout, Duration::from_secs(2));
    let login = all.hosts.login().unwrap();
    assert_eq!((&*login.user, &*login.password), ("us@er", "pass:word"));
    let least = settings("etcd://h").unwrap();
    assert_eq!(
        (&*least.hosts.to_string(), &*least.base),
        ("h:2379", "/incumbent")
    );
    assert!(least.hosts.login().is_none() && least.tls.is_none());
    assert_eq!(settings("etcd://h/").unwrap().base, "/incumbent");
}

#[test]
fn what_cannot_be_meant_is_refused_and_says_why() {
    let long = format!("etcd://h/{}", "x".repeat(600));
    for (address, why) in [
        ("etcd://", "no host"),
        ("etcd:/a", "no host"),
        ("etcd://h:0/a", "port"),
        ("etcd://h:x/a", "port"),
        ("etcd://h1,,h2/a", "no host"),
        ("etcd://::1:2379/a", "IPv6 in brackets"),
        ("etcd://h/a//b", "no part"),
        ("etcd://h/a%00b", "no part"),
        (&*long, "longer than 512"),
        ("etcd://h/a?tls=on", "no option \"tls\", only timeout, ca"),
        ("etcd://h/a?timeout=10", "100ms"),
        ("etcd://h/a?timeout=1ms", "100ms"),
        ("etcd://h/a?cert=/c&key=/k", "need ca"),
        ("etcd://h/a?ca=/c&key=/k", "go together"),
        ("etcd://h/a?ca=/no/such/file", "/no/such/file"),
        ("etcd://user@h/a", "user:password"),
        ("etcd://:secret@h/a", "user:password"),
        ("file:///a", "scheme"),
    ] {
        let error = settings(address).err().expect(address);
        assert!(error.contains(why), "{address}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let address = format!("etcd://h/a?ca={}", file.path().display());
    let error = settings(&address).err().unwrap();
    assert!(error.contains("there is no certificate in"), "{error}");
}
