//! What proves that a process is dead: the rules, apart from sockets.

use incumbent_core::root::LivenessAddress;

/// Why a process is known to be gone. Its endpoint will never say its nonce again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOfDeath {
    /// Nothing listens at its liveness endpoint any more: the process is dead, and so is whatever
    /// held a [copy of the socket](super::LivenessServer::socket).
    Refused,
    /// Its liveness endpoint says another nonce, or none. The process that said the wanted one is
    /// gone, or has gone on to something else, as a leader whose term is over.
    AnotherNonce,
}

/// What a wrong verdict would cost, and so how much a sign must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stakes {
    /// Little, as in an election: one more change of leader. What answers at an *advertised*
    /// address, that is at one that a person named, is believed once the process was met there,
    /// although whatever is in between may be what refuses.
    Low,
    /// Something would run twice. Only the process's own socket is believed: at an advertised
    /// address nothing proves a death.
    High,
}

/// What one attempt to connect came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Refused,
    AnotherNonce,
    /// It said the nonce, and the connection ended later.
    Ended,
    /// It said nothing that can be understood: no verdict.
    Nothing,
}

/// Takes what is seen of one process, and says when it proves that the process is dead.
#[derive(Debug)]
pub(super) struct Judge {
    /// It runs under the same kernel and in the same network: nothing in between can refuse.
    same_scope: bool,
    /// Whatever answers at the address is believed.
    believed: bool,
    /// It said its nonce at this address. Otherwise the address may lead nowhere from here, as
    /// another machine's loopback does.
    met: bool,
}

impl Judge {
    /// `scope` is that of this process.
    pub(super) fn new(address: &LivenessAddress, scope: Option<&str>, stakes: Stakes) -> Self {
        let same_scope =
            !address.advertised && scope.is_some() && address.scope.as_deref() == scope;
        Self {
            same_scope,
            believed: match stakes {
                Stakes::Low => true,
                // Older versions leave out the scope where the address was advertised.
                Stakes::High => !address.advertised && address.scope.is_some(),
            },
            met: same_scope,
        }
    }

    /// Takes the outcome of one attempt. `is_local` says whether the address is one of this host
    /// as it is now: if it has moved to another host, what answers there is not the process.
    pub(super) fn see(
        &mut self,
        seen: Seen,
        is_local: impl FnOnce() -> bool,
    ) -> Option<SignOfDeath> {
        let sign = match seen {
            Seen::Refused => SignOfDeath::Refused,
            Seen::AnotherNonce => SignOfDeath::AnotherNonce,
            Seen::Ended => {
                self.met = true;
                return None;
            }
            Seen::Nothing => return None,
        };
        let proves = self.met && self.believed && (!self.same_scope || is_local());
        proves.then_some(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<&str> = Some("boot-1/net-1");

    fn at(scope: Option<&str>, advertised: bool) -> LivenessAddress {
        LivenessAddress {
            address: "10.0.0.7:4000".into(),
            scope: scope.map(str::to_owned),
            advertised,
        }
    }

    fn judge(address: &LivenessAddress, seen: &[Seen], stakes: Stakes) -> Option<SignOfDeath> {
        let mut judge = Judge::new(address, HERE, stakes);
        seen.iter().find_map(|seen| judge.see(*seen, || true))
    }

    #[test]
    fn in_the_same_network_the_first_refusal_is_a_proof() {
        for stakes in [Stakes::Low, Stakes::High] {
            let verdict = judge(&at(HERE, false), &[Seen::Refused], stakes);
            assert_eq!(verdict, Some(SignOfDeath::Refused));
        }
    }

    #[test]
    fn elsewhere_a_process_must_have_been_met_under_the_address() {
        for stakes in [Stakes::Low, Stakes::High] {
            for sign in [Seen::Refused, Seen::AnotherNonce] {
                let there = at(Some("boot-2/net-1"), false);
                assert_eq!(judge(&there, &[sign, sign], stakes), None);
                assert!(judge(&there, &[Seen::Ended, sign], stakes).is_some());
            }
        }
    }

    #[test]
    fn a_time_out_proves_nothing_however_often() {
        let seen = [Seen::Ended, Seen::Nothing, Seen::Nothing];
        assert_eq!(judge(&at(HERE, false), &seen, Stakes::Low), None);
    }

    #[test]
    fn an_address_that_has_left_this_host_proves_nothing_any_more() {
        let mut judge = Judge::new(&at(HERE, false), HERE, Stakes::Low);
        assert_eq!(judge.see(Seen::Ended, || false), None);
        assert_eq!(judge.see(Seen::Refused, || false), None);
        assert_eq!(judge.see(Seen::AnotherNonce, || false), None);
    }

    /// What is in front of the process may refuse while the process lives.
    #[test]
    fn at_an_advertised_address_a_refusal_is_believed_only_if_little_is_at_stake() {
        for sign in [Seen::Refused, Seen::AnotherNonce] {
            for there in [at(None, true), at(HERE, true)] {
                let seen = [Seen::Ended, sign];
                assert!(judge(&there, &seen, Stakes::Low).is_some());
                assert_eq!(judge(&there, &seen, Stakes::High), None);
            }
            // Written by a version that did not say whether it was advertised.
            assert_eq!(
                judge(&at(None, false), &[Seen::Ended, sign], Stakes::High),
                None
            );
        }
    }
}
