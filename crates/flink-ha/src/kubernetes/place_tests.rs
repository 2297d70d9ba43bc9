use super::*;

fn place(address: &str) -> Result<KubernetesPlace, BadAddress> {
    KubernetesPlace::of(&address.parse().unwrap())
}

#[test]
fn an_address_says_where_a_cluster_is() {
    let short = place("kubernetes:///demo").unwrap();
    assert_eq!((short.namespace, &*short.cluster), (None, "demo"));
    let long = place("kubernetes://prod/my-flink?context=c&kubeconfig=/k%20c").unwrap();
    assert_eq!(long.namespace.as_deref(), Some("prod"));
    assert_eq!(long.cluster, "my-flink");
    assert_eq!(long.context.as_deref(), Some("c"));
    assert_eq!(long.kubeconfig, Some("/k c".into()));
}

#[test]
fn what_cannot_be_used_says_why() {
    let long = format!("kubernetes:///{}", "a".repeat(46));
    for (address, why) in [
        ("kubernetes://prod", "no kubernetes.cluster-id"),
        ("kubernetes://prod/a/b", "no kubernetes.cluster-id"),
        // It would be a part of a label selector.
        ("kubernetes://prod/a,b=c", "no kubernetes.cluster-id"),
        ("kubernetes://prod/-a", "no kubernetes.cluster-id"),
        (&long, "no kubernetes.cluster-id"),
        ("kubernetes://host:6443/a", "no namespace"),
        ("kubernetes://Prod/a", "no namespace"),
        ("kubernetes:///a?root=lease", "no option \"root\""),
        ("kubernetes:///a?context=", "context is empty"),
    ] {
        let text = place(address).err().unwrap().to_string();
        assert!(text.contains(why), "{address}: {text}");
    }
}
