//! What arrives at the leader, and what comes back.

use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;

use crate::harness::{BoxError, Cluster, Upstream, boxed, http2, options, raw, read, soon};

#[tokio::test]
async fn the_leader_gets_what_the_client_sent_and_learns_who_asked() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let headers = [
        ("host", "reached.under.any.name:8080"),
        ("x-mine", "kept"),
        ("connection", "x-hop"),
        ("x-hop", "gone"),
        ("incumbent-epoch", "999"),
        ("x-forwarded-for", "6.6.6.6"),
    ];
    let reply = front
        .send(Method::PATCH, "/a/b%20c?q=1&q=2", &headers, "body")
        .await;
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "body"));
    let seen = &upstream.seen()[0];
    assert_eq!(
        (&seen.method, seen.target.as_str()),
        (&Method::PATCH, "/a/b%20c?q=1&q=2")
    );
    assert_eq!(seen.version, Version::HTTP_11);
    assert_eq!(seen.headers["host"], "reached.under.any.name:8080");
    assert_eq!(seen.headers["x-mine"], "kept");
    assert_eq!(seen.headers["incumbent-epoch"], "1");
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(
        seen.headers["x-forwarded-host"],
        "reached.under.any.name:8080"
    );
    assert_eq!(seen.headers["x-forwarded-proto"], "http");
    assert!(!seen.headers.contains_key("x-hop"));
    assert!(!seen.headers.contains_key("connection"));
}

#[tokio::test]
async fn every_method_and_status_passes() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        let status = request.uri().path()[1..].parse::<u16>().unwrap();
        Box::pin(async move {
            let mut response = Response::new(boxed(if [204, 304].contains(&status) {
                ""
            } else {
                "text"
            }));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    for status in [
        200, 201, 204, 301, 304, 400, 404, 418, 500, 502, 503, 504, 599,
    ] {
        let reply = front.get(&format!("/{status}")).await;
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(
            reply.text(),
            if [204, 304].contains(&status) {
                ""
            } else {
                "text"
            }
        );
    }
    for method in ["HEAD", "OPTIONS", "DELETE", "PROPFIND", "X-OWN"] {
        front.send(method.parse().unwrap(), "/200", &[], "").await;
        assert_eq!(upstream.seen().last().unwrap().method, method);
    }
    let head = front.send(Method::HEAD, "/200", &[], "").await;
    assert_eq!(
        (
            head.headers["content-length"].to_str().unwrap(),
            head.text()
        ),
        ("4", "")
    );
}

#[tokio::test]
async fn this_is_no_open_proxy() {
    let cluster = Cluster::new().await;
    let elsewhere = Upstream::saying("elsewhere").await;
    let upstream = Upstream::saying("leader").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let other = elsewhere.address;
    let absolute =
        format!("GET http://{other}/x HTTP/1.1\r\nHost: {other}\r\nConnection: close\r\n\r\n");
    let answer = raw(front.address, absolute.as_bytes()).await;
    assert!(answer.ends_with("leader"), "{answer}");
    assert_eq!(upstream.seen()[0].target, "/x");
    let connect = format!("CONNECT {other} HTTP/1.1\r\nHost: {other}\r\nConnection: close\r\n\r\n");
    let answer = raw(front.address, connect.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(elsewhere.seen().is_empty());
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn no_internal_address_comes_back_in_headers_that_lead_there() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        let location = request.headers()["x-location"].clone();
        Box::pin(async move {
            let mut response = Response::new(boxed(""));
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", location);
            response
                .headers_mut()
                .insert("alt-svc", "h3=\":1\"".parse().unwrap());
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let own = format!("http://{}/there?x", upstream.address);
    for (said, expected) in [
        (own.as_str(), "/there?x"),
        ("/relative", "/relative"),
        ("https://elsewhere.example/", "https://elsewhere.example/"),
    ] {
        let reply = front
            .send(Method::GET, "/", &[("x-location", said)], "")
            .await;
        assert_eq!(reply.headers["location"], expected);
        assert!(!reply.headers.contains_key("alt-svc"));
    }
}

/// Two gateways, each of which is the other's leader.
#[tokio::test]
async fn requests_that_go_round_in_a_circle_are_refused() {
    let (one, other) = (Cluster::new().await, Cluster::new().await);
    let front_one = one.gateway().await;
    let front_other = other.gateway().await;
    let _one = one.lead(&[("web", &front_other.address.to_string())]).await;
    let _other = other.lead(&[("web", &front_one.address.to_string())]).await;
    front_one.get("/").await.is_problem(508, "loop");
}

#[tokio::test]
async fn http2_comes_in_and_http1_goes_on() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut client = http2(front.address).await;
    let request = Request::post("http://some.name/x")
        .body(boxed("body"))
        .unwrap();
    let reply = read(soon(client.send_request(request)).await.unwrap())
        .await
        .unwrap();
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "body"));
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.version, seen.target.as_str()),
        (Version::HTTP_11, "/x")
    );
    assert_eq!(seen.headers["host"], "some.name");
}

/// As gRPC does: HTTP/2 all the way, and the outcome in trailers.
#[tokio::test]
async fn grpc_goes_on_as_http2_with_its_trailers() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        Box::pin(async move {
            let all = request.into_body().collect().await.unwrap();
            let sum = all.trailers().map(|trailers| trailers["x-sum"].clone());
            let body = http_body_util::Full::new(all.to_bytes())
                .map_err(BoxError::from)
                .with_trailers(async move {
                    let mut trailers = http::HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    trailers.extend(sum.map(|sum| (http::HeaderName::from_static("x-sum"), sum)));
                    Some(Ok(trailers))
                });
            let mut response = Response::new(body.boxed_unsync());
            response
                .headers_mut()
                .insert("content-type", "application/grpc".parse().unwrap());
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut client = http2(front.address).await;
    for _ in 0..3 {
        let body = http_body_util::Full::new("call".into())
            .map_err(BoxError::from)
            .with_trailers(async {
                let mut trailers = http::HeaderMap::new();
                trailers.insert("x-sum", "42".parse().unwrap());
                Some(Ok(trailers))
            });
        let request = Request::post("http://some.name/service/method")
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers")
            .body(body.boxed_unsync())
            .unwrap();
        let reply = read(soon(client.send_request(request)).await.unwrap())
            .await
            .unwrap();
        assert_eq!(reply.text(), "call");
        let trailers = reply.trailers.unwrap();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["x-sum"]),
            (&"0".parse().unwrap(), &"42".parse().unwrap())
        );
    }
    let seen = &upstream.seen()[0];
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.target, "http://some.name/service/method");
    assert_eq!(seen.headers["te"], "trailers");
    assert!(!seen.headers.contains_key("host"));
}

/// As Firefox does with every request.
#[tokio::test]
async fn to_ask_for_trailers_is_no_reason_to_need_http2() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("here").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut client = http2(front.address).await;
    for kind in ["text/plain", "application/grpc-web"] {
        let request = Request::post("http://some.name/")
            .header("te", "trailers")
            .header("content-type", kind)
            .body(boxed(""))
            .unwrap();
        let reply = soon(client.send_request(request)).await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
    }
    for seen in upstream.seen() {
        assert_eq!(seen.version, Version::HTTP_11);
        assert_eq!(seen.headers["te"], "trailers");
    }
}

#[tokio::test]
async fn an_address_that_says_h2c_is_spoken_to_in_http2() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let address = format!("h2c://{}", upstream.address);
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let front = cluster.gateway().await;
    let reply = front
        .send(Method::POST, "/", &[("cookie", "a=1")], "body")
        .await;
    assert_eq!(reply.text(), "body");
    assert_eq!(upstream.seen()[0].version, Version::HTTP_2);
}

#[tokio::test]
async fn clients_of_http10_are_answered() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("old").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let answer = raw(front.address, b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.0 200") && answer.ends_with("old"),
        "{answer}"
    );
    assert_eq!(
        upstream.seen()[0].headers["host"],
        upstream.address.to_string().as_str()
    );
}

#[tokio::test]
async fn a_bearer_token_is_needed_if_there_is_one_and_goes_no_further() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.token = Some("s3cret".into());
    let front = cluster.gateway_with(options).await;
    for wrong in [
        "Bearer wrong",
        "Bearer s3cre",
        "Bearer s3crett",
        "Basic s3cret",
        "s3cret",
        "",
    ] {
        let reply = front
            .send(Method::GET, "/", &[("authorization", wrong)], "")
            .await;
        reply.is_problem(401, "unauthorized");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    front.get("/").await.is_problem(401, "unauthorized");
    assert!(upstream.seen().is_empty());
    let reply = front
        .send(Method::GET, "/", &[("authorization", "bearer s3cret")], "")
        .await;
    assert_eq!(reply.text(), "in");
    assert!(!upstream.seen()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn without_a_token_the_leaders_own_authorization_passes() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    front
        .send(Method::GET, "/", &[("authorization", "Basic xyz")], "")
        .await;
    assert_eq!(upstream.seen()[0].headers["authorization"], "Basic xyz");
}

#[tokio::test]
async fn curl_gets_its_answers() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let url = format!("http://{}/", front.address);
    for version in ["--http1.1", "--http2-prior-knowledge", "--http1.0"] {
        let asked = tokio::process::Command::new("curl")
            .args([
                "-sS",
                version,
                "-d",
                "from curl",
                "-H",
                "Expect: 100-continue",
                &url,
            ])
            .output()
            .await;
        let Ok(output) = asked else {
            eprintln!("SKIPPED curl_gets_its_answers: there is no curl");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("libcurl does not support this") {
            eprintln!("SKIPPED {version}: this curl does not know it");
            continue;
        }
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "from curl",
            "{version}: {said}"
        );
    }
}

#[tokio::test]
async fn ipv6_works_on_both_sides() {
    let Ok(socket) = tokio::net::TcpListener::bind("[::1]:0").await else {
        eprintln!("SKIPPED ipv6_works_on_both_sides: there is no IPv6");
        return;
    };
    let cluster = Cluster::new().await;
    let upstream = Upstream::on(socket, |_| Box::pin(async { Response::new(boxed("six")) }));
    let _leadership = cluster.lead_at(&upstream).await;
    let gateway = incumbent_gateway::Gateway::new(&cluster.group(), options()).unwrap();
    let socket = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = tokio::spawn(gateway.run([socket.into()], std::future::pending()));
    let reply = soon(crate::harness::send(
        address,
        Method::GET,
        "/",
        &[("host", "[::1]:80")],
        "",
    ))
    .await;
    assert_eq!(reply.unwrap().text(), "six");
    let seen = &upstream.seen()[0];
    assert_eq!(
        seen.headers["forwarded"],
        "for=\"[::1]\";host=\"[::1]:80\";proto=http"
    );
    serving.abort();
}
