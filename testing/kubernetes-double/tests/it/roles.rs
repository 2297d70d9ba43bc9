//! Roles, and what they allow.

use serde_json::{Value, json};

use crate::api::{Api, Got, wait_until};

crate::claims! {
    a_user_without_a_role_may_do_nothing
    a_role_allows_what_it_says
    a_role_for_a_name_allows_that_name_alone
    a_service_account_has_the_roles_bound_to_it
    a_put_that_makes_an_object_needs_leave_to_create
    a_subresource_needs_leave_of_its_own
    a_role_that_is_unbound_allows_nothing_more
    everybody_may_ask_what_they_may_do_and_who_they_are
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// A user who exists for this claim alone.
struct User {
    api: Api,
    name: String,
}

impl User {
    fn of(api: &Api) -> User {
        User {
            api: api.clone(),
            name: api.name("user"),
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Got {
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let headers = [
            ("impersonate-user", self.name.as_str()),
            ("content-type", kind),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.api.send(method, path, &headers, body.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &Value::Null).await
    }

    /// Binds a role with these rules to this subject.
    async fn bind(&self, rules: Value, subject: Value) {
        self.api
            .create(
                "roles",
                &json!({"metadata": self.api.metadata("role"), "rules": rules}),
            )
            .await;
        let role = json!({"apiGroup": GROUP, "kind": "Role", "name": self.api.name("role")});
        let binding = json!({"metadata": self.api.metadata("binding"), "roleRef": role, "subjects": [subject]});
        self.api.create("rolebindings", &binding).await;
    }

    async fn bind_to_me(&self, rules: Value) {
        self.bind(rules, json!({"kind": "User", "name": self.name}))
            .await;
    }

    /// A real server learns of roles a moment later.
    async fn wait_for(&self, path: &str, status: u16) {
        wait_until("the role has its effect", || async {
            self.get(path).await.status == status
        })
        .await;
    }
}

async fn a_user_without_a_role_may_do_nothing(api: Api) {
    let user = User::of(&api);
    let (me, place) = (&user.name, format!("in the namespace {:?}", api.namespace));
    let name = api.name("a");
    let got = user.get(&api.one("configmaps", "a")).await.refused(
        403,
        "Forbidden",
        format!("configmaps {name:?} is forbidden: User {me:?} cannot get resource \"configmaps\" in API group \"\" {place}"),
    );
    assert_eq!(
        got.body["details"],
        json!({"name": name, "kind": "configmaps"})
    );
    let verbs = [
        ("GET", "", "list"),
        ("GET", "?watch=true", "watch"),
        ("POST", "", "create"),
        ("DELETE", "", "deletecollection"),
    ];
    for (method, query, verb) in verbs {
        let got = user
            .send(method, &api.path("leases", query), &json!({}))
            .await;
        let subject = format!(
            "leases.coordination.k8s.io is forbidden: User {me:?} cannot {verb} resource \"leases\""
        );
        let got = got.refused(
            403,
            "Forbidden",
            format!("{subject} in API group \"coordination.k8s.io\" {place}"),
        );
        assert_eq!(
            got.body["details"],
            json!({"group": "coordination.k8s.io", "kind": "leases"})
        );
    }
    for (method, verb) in [("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete")] {
        let got = user
            .send(
                method,
                &api.one("configmaps", "a"),
                &api.config_map("a", "1"),
            )
            .await
            .refused_for(403, "Forbidden");
        assert!(
            got.body["message"]
                .as_str()
                .unwrap()
                .contains(&format!(" cannot {verb} resource ")),
            "{}",
            got.text
        );
    }
    let got = user
        .get("/api/v1/configmaps")
        .await
        .refused_for(403, "Forbidden");
    assert!(
        got.body["message"]
            .as_str()
            .unwrap()
            .ends_with(" at the cluster scope")
    );
}

async fn a_role_allows_what_it_says(api: Api) {
    let user = User::of(&api);
    user.bind_to_me(json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["*"], "verbs": ["*"]},
    ]))
    .await;
    user.wait_for(&api.path("configmaps", &api.mine()), 200)
        .await;
    user.send(
        "POST",
        &api.path("configmaps", ""),
        &api.config_map("a", "1"),
    )
    .await
    .is(201);
    user.get(&api.one("configmaps", "a")).await.is(200);
    user.send(
        "PUT",
        &api.one("configmaps", "a"),
        &api.config_map("a", "2"),
    )
    .await
    .refused_for(403, "Forbidden");
    user.get(&api.path("configmaps", "?watch=true"))
        .await
        .refused_for(403, "Forbidden");
    user.get("/api/v1/configmaps")
        .await
        .refused_for(403, "Forbidden");
    user.send(
        "POST",
        &api.path("leases", ""),
        &json!({"metadata": api.metadata("a")}),
    )
    .await
    .is(201);
    user.send("DELETE", &api.one("leases", "a"), &Value::Null)
        .await
        .is(200);
    user.get(&api.path("pods", ""))
        .await
        .refused_for(403, "Forbidden");
}

async fn a_role_for_a_name_allows_that_name_alone(api: Api) {
    let user = User::of(&api);
    let name = api.name("a");
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "delete",
        "deletecollection",
    ];
    user.bind_to_me(json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": verbs}])).await;
    for each in ["a", "b"] {
        api.create("configmaps", &api.config_map(each, "1")).await;
    }
    user.wait_for(&api.one("configmaps", "a"), 200).await;
    user.get(&api.one("configmaps", "b"))
        .await
        .refused_for(403, "Forbidden");
    user.send(
        "PUT",
        &api.one("configmaps", "a"),
        &api.config_map("a", "2"),
    )
    .await
    .is(200);
    user.send(
        "PUT",
        &api.one("configmaps", "b"),
        &api.config_map("b", "2"),
    )
    .await
    .refused_for(403, "Forbidden");
    // A rule with names does not allow requests without a name. A list has a name only by its field
    // selector.
    user.get(&api.path("configmaps", ""))
        .await
        .refused_for(403, "Forbidden");
    user.get(&api.path("configmaps", &api.mine()))
        .await
        .refused_for(403, "Forbidden");
    user.send(
        "POST",
        &api.path("configmaps", ""),
        &api.config_map("a", "1"),
    )
    .await
    .refused_for(403, "Forbidden");
    user.send("DELETE", &api.path("configmaps", &api.mine()), &Value::Null)
        .await
        .refused_for(403, "Forbidden");
    let by_name = |name: &str| {
        api.path(
            "configmaps",
            &format!("?fieldSelector=metadata.name%3D{}", api.name(name)),
        )
    };
    let list = user.get(&by_name("a")).await.is(200).body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let got = user.get(&by_name("b")).await.refused_for(403, "Forbidden");
    assert_eq!(got.body["details"]["name"], api.name("b"));
    user.get(&format!("{}&watch=true&timeoutSeconds=1", by_name("a")))
        .await
        .is(200);
    user.get(&format!("{}&watch=true&timeoutSeconds=1", by_name("b")))
        .await
        .refused_for(403, "Forbidden");
    user.send("DELETE", &api.one("configmaps", "a"), &Value::Null)
        .await
        .is(200);
}

async fn a_service_account_has_the_roles_bound_to_it(api: Api) {
    let mut user = User::of(&api);
    let account = api.name("account");
    user.name = format!("system:serviceaccount:{}:{account}", api.namespace);
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]);
    user.bind(
        rules,
        json!({"kind": "ServiceAccount", "namespace": api.namespace, "name": account}),
    )
    .await;
    user.wait_for(&api.path("configmaps", &api.mine()), 200)
        .await;
    user.name = format!("system:serviceaccount:elsewhere:{account}");
    user.get(&api.path("configmaps", &api.mine()))
        .await
        .refused_for(403, "Forbidden");
}

async fn a_put_that_makes_an_object_needs_leave_to_create(api: Api) {
    let user = User::of(&api);
    let rules = json!([{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"]}]);
    user.bind_to_me(rules).await;
    user.wait_for(&api.one("leases", "a"), 404).await;
    let lease = json!({"metadata": api.metadata("a")});
    let got = user
        .send("PUT", &api.one("leases", "a"), &lease)
        .await
        .refused_for(403, "Forbidden");
    assert!(
        got.body["message"]
            .as_str()
            .unwrap()
            .contains(" cannot create resource \"leases\" "),
        "{}",
        got.text
    );
    let mut lease = api.create("leases", &lease).await;
    lease["spec"]["holderIdentity"] = json!("x");
    user.send("PUT", &api.one("leases", "a"), &lease)
        .await
        .is(200);
}

async fn a_subresource_needs_leave_of_its_own(api: Api) {
    let user = User::of(&api);
    user.bind_to_me(json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}]))
        .await;
    user.wait_for(&api.one("pods", "a"), 404).await;
    let path = format!("{}/status", api.one("pods", "a"));
    let got = user
        .send("PATCH", &path, &json!({}))
        .await
        .refused_for(403, "Forbidden");
    assert!(
        got.body["message"]
            .as_str()
            .unwrap()
            .contains(" cannot patch resource \"pods/status\" in API group \"\" ")
    );
    assert_eq!(got.body["details"]["kind"], "pods");
    user.send("PATCH", &api.one("pods", "a"), &json!({}))
        .await
        .refused_for(404, "NotFound");
}

async fn a_role_that_is_unbound_allows_nothing_more(api: Api) {
    let user = User::of(&api);
    user.bind_to_me(json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]))
        .await;
    let list = api.path("configmaps", &api.mine());
    user.wait_for(&list, 200).await;
    let binding = api.one("rolebindings", "binding");
    let mut bound = api.get(&binding).await.is(200).body;
    bound["roleRef"]["name"] = json!("another");
    api.put(&binding, &bound)
        .await
        .because(&["FieldValueInvalid roleRef"]);
    api.delete(&binding, &Value::Null).await.is(200);
    user.wait_for(&list, 403).await;
}

async fn everybody_may_ask_what_they_may_do_and_who_they_are(api: Api) {
    let user = User::of(&api);
    user.bind_to_me(json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [api.name("a")], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["get"]},
    ]))
    .await;
    user.wait_for(&api.path("configmaps", &api.mine()), 200)
        .await;
    let (a, b) = (api.name("a"), api.name("b"));
    for (verb, resource, subresource, name, allowed) in [
        ("list", "configmaps", "", "", true),
        ("watch", "configmaps", "", "", false),
        ("get", "configmaps", "", "", false),
        ("get", "configmaps", "", &*a, true),
        ("get", "configmaps", "", &*b, false),
        ("get", "pods", "", "", false),
        ("get", "pods", "status", "", true),
    ] {
        let attributes = json!({
            "namespace": api.namespace, "verb": verb, "group": "", "resource": resource,
            "subresource": subresource, "name": name,
        });
        let review = json!({
            "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
            "spec": {"resourceAttributes": attributes},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let got = user.send("POST", path, &review).await.is(201);
        assert_eq!(
            got.body["status"]["allowed"], allowed,
            "{verb} {resource} {name}: {}",
            got.text
        );
    }
    let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let got = user.send("POST", path, &review).await.is(201);
    assert_eq!(got.body["status"]["userInfo"]["username"], user.name);
}
