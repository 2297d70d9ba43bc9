//! Options of `incumbent gateway` that do not go together.
//!
//! An option without effect could be the one that protects something. So it is refused, whether it
//! comes from the command line, the environment or the configuration file.

use super::GatewayArgs;

/// Why these options do not go together, if they do not.
pub(super) fn conflict(args: &GatewayArgs) -> Option<String> {
    if args.tcp {
        beside_tcp(args)
    } else {
        incomplete(args)
    }
}

fn beside_tcp(args: &GatewayArgs) -> Option<String> {
    let GatewayArgs {
        waiting,
        limits,
        tls,
        leader,
        access,
        ..
    } = args;
    let given = [
        ("--tls-listen", !tls.listen().is_empty()),
        ("--cert", tls.files.cert.is_some()),
        ("--key", tls.files.key.is_some()),
        ("--client-ca", tls.files.client_ca.is_some()),
        ("--pass-certificate", tls.pass_certificate),
        ("--upstream-tls", leader.upstream_tls),
        ("--upstream-ca", leader.upstream_ca.is_some()),
        ("--upstream-cert", leader.upstream_cert.is_some()),
        ("--upstream-key", leader.upstream_key.is_some()),
        ("--upstream-name", leader.upstream_name.is_some()),
        ("--token-file", access.token.token_file.is_some()),
        ("--trusted", !access.trusted.is_empty()),
        ("--static", args.files.is_some()),
        ("--wait-until-ready", waiting.wait_until_ready),
        ("--largest-body", limits.largest_body.is_some()),
        ("--total-timeout", limits.total_timeout.is_some()),
        ("--flink", args.flink.is_some()),
    ];
    let option = first(&given)?;
    Some(format!(
        "{option} cannot be used with --tcp, which passes connections on as they are; \
         remove one of the two"
    ))
}

fn incomplete(args: &GatewayArgs) -> Option<String> {
    let GatewayArgs { tls, leader, .. } = args;
    if leader.upstream_cert.is_some() != leader.upstream_key.is_some() {
        return Some("--upstream-cert and --upstream-key go together; add the missing one".into());
    }
    if tls.listen().is_empty() {
        let option = first(&[
            ("--cert", tls.files.cert.is_some()),
            ("--key", tls.files.key.is_some()),
            ("--client-ca", tls.files.client_ca.is_some()),
            ("--pass-certificate", tls.pass_certificate),
        ])?;
        return Some(format!(
            "{option} is for connections with TLS, which --listen does not take; add --tls-listen, \
             as in --tls-listen 0.0.0.0:8443"
        ));
    }
    if tls.files.cert.is_none() || tls.files.key.is_none() {
        return Some("--tls-listen needs a certificate: add --cert FILE and --key FILE".into());
    }
    if tls.pass_certificate && tls.files.client_ca.is_none() {
        return Some(
            "--pass-certificate needs --client-ca FILE: without it, clients are not asked for \
             certificates"
                .into(),
        );
    }
    None
}

/// The first option that was given.
fn first(given: &[(&'static str, bool)]) -> Option<&'static str> {
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    given.next().map(|(option, _)| *option)
}
