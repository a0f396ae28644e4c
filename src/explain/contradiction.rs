//! Why a packet fares otherwise than the policy says.

use super::{Admission, Receiver, Refusal, Verdict};
use crate::compile::{BLOCK, BRIDGED, DWNL, GUARD};
use crate::model::{ChainPath, Family};
use crate::simulate::Step;

/// Why the verdict is not what the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contradiction {
    /// It gets in, because dwnl's rules are not installed.
    NotInstalled,
    /// The installed rules are not those of the policy.
    Drift,
    /// It gets in, because it comes from a container.
    FromContainer,
    /// It gets in, because it is granted by hand.
    Granted,
    /// An entry allows it, but it is banned by hand.
    Banned,
    /// It gets in, because the port is not one that Docker publishes: a process of the host listens.
    NotPublished,
    /// It gets in, because the guard is off, and `DOCKER-BLOCK` alone does not block this path.
    GuardOff,
    /// An entry allows it, but another program's chain refuses it.
    OtherProgram,
    /// An entry allows the port on the host, but not on the container's own address: `direct-routing`.
    DirectRouting,
    /// None of these.
    Unexplained,
}

/// What a contradiction is explained by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Whether dwnl's rules are installed and block.
    pub is_installed: bool,
    /// Whether the installed rules are those of the policy.
    pub is_in_sync: bool,
    /// Whether the policy has the guard on.
    pub has_guard: bool,
    /// Whether the packet comes in by an interface of containers or of the host itself.
    pub is_inside: bool,
    /// Whether it is banned by hand.
    pub is_banned: bool,
    /// Whether it is granted by hand.
    pub is_granted: bool,
    /// Whether Docker publishes the port, or the packet reaches one of its bridges.
    pub is_of_docker: bool,
}

impl Contradiction {
    /// The contradiction between what the policy says and the verdict, if there is one.
    pub(crate) fn between(
        admission: &Admission,
        verdict: &Verdict,
        steps: &[Step],
        circumstances: Circumstances,
    ) -> Option<Contradiction> {
        match (verdict, admission.is_admitted()) {
            (Verdict::Allowed(receiver), false) => Some(allowed(receiver, circumstances)),
            (Verdict::Refused(Refusal::Rule { step, .. }), true) => {
                Some(refused(steps.get(*step).map(|step| &step.chain), circumstances))
            }
            _ => None,
        }
    }
}

fn allowed(receiver: &Receiver, circumstances: Circumstances) -> Contradiction {
    let Circumstances {
        is_installed,
        is_in_sync,
        has_guard,
        is_inside,
        is_of_docker,
        is_granted,
        ..
    } = circumstances;
    if !is_installed {
        Contradiction::NotInstalled
    } else if !is_of_docker && *receiver != Receiver::Docker {
        Contradiction::NotPublished
    } else if is_inside {
        Contradiction::FromContainer
    } else if is_granted {
        Contradiction::Granted
    } else if !is_in_sync {
        Contradiction::Drift
    } else if !has_guard {
        Contradiction::GuardOff
    } else {
        Contradiction::Unexplained
    }
}

fn refused(chain: Option<&ChainPath>, circumstances: Circumstances) -> Contradiction {
    match chain.filter(|chain| is_own(chain)) {
        None => Contradiction::OtherProgram,
        Some(_) if circumstances.is_banned => Contradiction::Banned,
        Some(_) if !circumstances.is_in_sync => Contradiction::Drift,
        Some(chain) if &*chain.chain == BRIDGED => Contradiction::DirectRouting,
        Some(_) => Contradiction::Unexplained,
    }
}

/// Whether a chain is dwnl's.
fn is_own(path: &ChainPath) -> bool {
    match path.table.family {
        Family::Inet => &*path.table.table == DWNL,
        _ => [BLOCK, GUARD].contains(&&*path.chain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, TablePath};
    use crate::simulate::Effect;

    const FINE: Circumstances = Circumstances {
        is_installed: true,
        is_in_sync: true,
        has_guard: true,
        is_inside: false,
        is_banned: false,
        is_granted: false,
        is_of_docker: true,
    };

    fn steps(family: Family, table: &str, chain: &str) -> Vec<Step> {
        let table = TablePath { family, table: table.into() };
        let chain = ChainPath { table, chain: chain.into() };
        vec![Step { chain, rule: Some(1), text: "drop".to_owned(), effect: Effect::Drop }]
    }

    #[test]
    fn what_is_let_in_without_an_entry_has_a_reason() {
        let refused = Admission::NotAdmitted { nearest: None };
        let why = |receiver, circumstances| {
            Contradiction::between(&refused, &Verdict::Allowed(receiver), &[], circumstances)
        };
        let cases = [
            (Circumstances { is_installed: false, ..FINE }, Contradiction::NotInstalled),
            (Circumstances { is_inside: true, ..FINE }, Contradiction::FromContainer),
            (Circumstances { is_granted: true, ..FINE }, Contradiction::Granted),
            (Circumstances { is_in_sync: false, ..FINE }, Contradiction::Drift),
            (Circumstances { has_guard: false, ..FINE }, Contradiction::GuardOff),
            (FINE, Contradiction::Unexplained),
        ];
        for (circumstances, expected) in cases {
            assert_eq!(why(Receiver::Docker, circumstances), Some(expected));
        }
        let other = Circumstances { is_of_docker: false, ..FINE };
        assert_eq!(why(Receiver::Process, other), Some(Contradiction::NotPublished));
    }

    #[test]
    fn what_is_refused_in_spite_of_an_entry_has_a_reason() {
        let admitted = Admission::Admitted(Origin::default());
        let refusal = Verdict::Refused(Refusal::Rule { step: 0, is_rejected: false });
        let why = |steps: &[Step], circumstances| {
            Contradiction::between(&admitted, &refusal, steps, circumstances)
        };
        let user = steps(Family::Ip, "filter", "DOCKER-USER");
        assert_eq!(why(&user, FINE), Some(Contradiction::OtherProgram));
        let own = steps(Family::Inet, "dwnl", "translated");
        assert_eq!(why(&own, FINE), Some(Contradiction::Unexplained));
        let bridged = steps(Family::Inet, "dwnl", "bridged");
        assert_eq!(why(&bridged, FINE), Some(Contradiction::DirectRouting));
        let drift = Circumstances { is_in_sync: false, ..FINE };
        assert_eq!(why(&own, drift), Some(Contradiction::Drift));
        let banned = Circumstances { is_banned: true, ..FINE };
        assert_eq!(why(&own, banned), Some(Contradiction::Banned));
        assert_eq!(why(&user, banned), Some(Contradiction::OtherProgram));
        let nobody = Verdict::Refused(Refusal::NobodyListens);
        assert_eq!(Contradiction::between(&admitted, &nobody, &[], FINE), None);
    }
}
