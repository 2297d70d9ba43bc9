use super::*;

fn target(address: &str) -> Result<KubernetesTarget, BadAddress> {
    KubernetesTarget::of(&address.parse().unwrap())
}

#[test]
fn an_address_says_where_a_cluster_is() {
    let short = target("kubernetes:///demo").unwrap();
    assert_eq!(
        (short.namespace, short.cluster.as_deref()),
        (None, Some("demo"))
    );
    let namespace = target("kubernetes://prod").unwrap();
    assert_eq!(
        (namespace.namespace.as_deref(), namespace.cluster),
        (Some("prod"), None)
    );
    let long = target("kubernetes://prod/my-flink?context=c&kubeconfig=/k%20c").unwrap();
    assert_eq!(long.namespace.as_deref(), Some("prod"));
    assert_eq!(long.cluster.as_deref(), Some("my-flink"));
    assert_eq!(long.context.as_deref(), Some("c"));
    assert_eq!(long.kubeconfig, Some("/k c".into()));
}

#[test]
fn an_unusable_address_says_why() {
    let long = format!("kubernetes:///{}", "a".repeat(46));
    for (address, why) in [
        ("kubernetes://prod/a/b", "not a kubernetes.cluster-id"),
        // It would change a label selector.
        ("kubernetes://prod/a,b=c", "not a kubernetes.cluster-id"),
        ("kubernetes://prod/-a", "not a kubernetes.cluster-id"),
        (&long, "not a kubernetes.cluster-id"),
        ("kubernetes://host:6443/a", "must be a namespace"),
        ("kubernetes://Prod/a", "must be a namespace"),
        ("kubernetes:///a?root=lease", "no option \"root\""),
        ("kubernetes:///a?context=", "context is empty"),
    ] {
        let text = target(address).err().unwrap().to_string();
        assert!(text.contains(why), "{address}: {text}");
    }
}
