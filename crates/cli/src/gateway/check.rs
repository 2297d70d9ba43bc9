//! Flags of `incumbent gateway` that do not go together. A flag that would be left out of account
//! could be the one that protects something, so it is refused, wherever it is said: on the command
//! line, in the environment or in the configuration file.

use super::GatewayArgs;
use crate::exit::{Code, Failure};

/// Refuses what would have no effect.
pub(super) fn check(args: &GatewayArgs) -> Result<(), Failure> {
    let why = match args.tcp {
        true => beside_tcp(args),
        false => incomplete(args),
    };
    match why {
        Some(why) => Err(Failure::new(why).code(Code::Usage)),
        None => Ok(()),
    }
}

fn beside_tcp(args: &GatewayArgs) -> Option<String> {
    let said = [
        ("--tls-listen", !args.tls_listen.is_empty()),
        ("--cert", args.cert.is_some()),
        ("--key", args.key.is_some()),
        ("--client-ca", args.client_ca.is_some()),
        ("--pass-certificate", args.pass_certificate),
        ("--upstream-tls", args.upstream_tls),
        ("--upstream-ca", args.upstream_ca.is_some()),
        ("--upstream-cert", args.upstream_cert.is_some()),
        ("--upstream-key", args.upstream_key.is_some()),
        ("--upstream-name", args.upstream_name.is_some()),
        ("--token-file", args.token_file.is_some()),
        ("--trusted", !args.trusted.is_empty()),
        ("--static", args.files.is_some()),
        ("--wait-until-ready", args.wait_until_ready),
        ("--largest-body", args.largest_body.is_some()),
        ("--total-timeout", args.total_timeout.is_some()),
        ("--flink", args.flink.is_some()),
    ];
    let flag = first(&said)?;
    Some(format!(
        "{flag} cannot be used with --tcp, which passes connections on as they are; leave one of them out"
    ))
}

fn incomplete(args: &GatewayArgs) -> Option<String> {
    if args.upstream_cert.is_some() != args.upstream_key.is_some() {
        return Some("--upstream-cert and --upstream-key go together; add the other one".into());
    }
    let said = [
        ("--cert", args.cert.is_some()),
        ("--key", args.key.is_some()),
        ("--client-ca", args.client_ca.is_some()),
        ("--pass-certificate", args.pass_certificate),
    ];
    if args.tls_listen.is_empty() {
        let flag = first(&said)?;
        return Some(format!(
            "{flag} is for connections with TLS, and --listen takes none; add --tls-listen, \
             as in --tls-listen 0.0.0.0:8443"
        ));
    }
    if args.cert.is_none() || args.key.is_none() {
        return Some("--tls-listen needs a certificate: add --cert FILE and --key FILE".into());
    }
    if args.pass_certificate && args.client_ca.is_none() {
        return Some(
            "--pass-certificate needs --client-ca FILE: without it no client is asked for a certificate".into(),
        );
    }
    None
}

fn first(said: &[(&'static str, bool)]) -> Option<&'static str> {
    let mut said = said.iter().filter(|(_, is_said)| *is_said);
    said.next().map(|(flag, _)| *flag)
}
