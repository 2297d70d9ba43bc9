//! Access control lists, over the wire.

use incumbent_leader_server::Options;
use incumbent_zk_proto::{Acl, Code, Create, CreateKind, Id, Request, perms};

use crate::harness::{Running, ask, create, data, done, get_data, soon};

#[tokio::test]
async fn a_node_of_one_user_is_closed_to_others_and_a_wrong_scheme_ends_the_connection() {
    let server = Running::start(Options::local()).await;
    let (mut owner, mut other) = (server.client().await, server.client().await);
    let auth = |scheme: &'static str| Request::Auth {
        scheme,
        auth: b"user:secret",
    };
    done(&mut owner, &auth("digest")).await;
    let mine = Request::Create(Create {
        path: "/mine",
        data: Some(b"secret"),
        acl: vec![Acl {
            perms: perms::ALL,
            id: Id {
                scheme: "auth".into(),
                id: String::new(),
            },
        }],
        flags: 0,
        kind: CreateKind::Plain,
    });
    done(&mut owner, &mine).await;
    assert_eq!(ask(&mut other, &get_data("/mine")).await, Err(Code::NoAuth));
    done(&mut other, &auth("digest")).await;
    assert_eq!(data(&mut other, "/mine").await, b"secret");
    for scheme in ["sasl", "x509", ""] {
        let mut bad = server.client().await;
        let refused = ask(&mut bad, &auth(scheme)).await;
        assert_eq!(refused, Err(Code::AuthFailed), "{scheme}");
        assert!(soon(bad.receive()).await.is_err(), "{scheme}");
    }
    done(&mut owner, &create("/on")).await;
}
