//! dwnl itself: the policy, the rules in force, who keeps them, and what happens at the next boot.

use super::super::facts::{Facts, Own, PolicyFile};
use crate::report::{Area, Count, Counts, Finding, Level, trial_ends};

const AREA: Area = Area::Dwnl;

/// The findings about dwnl.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let own = &facts.own;
    let mut found = vec![policy(own)];
    found.extend(access(facts));
    found.extend(policy_warnings(own));
    found.extend(trial(own));
    found.extend(rules(facts));
    found.extend(guard(facts));
    found.extend(gaps(own));
    found.push(watch(facts));
    found.extend(boot(facts));
    found.extend(drop_in(facts));
    found.extend(state(own));
    found
}

fn policy(own: &Own) -> Finding {
    const CHECK: (Area, &str) = (AREA, "policy");
    let path = &own.path;
    match own.file {
        PolicyFile::Valid(entries) => {
            let entries = Count(entries, "entry");
            Finding::ok(AREA, CHECK.1, format!("{path} is valid, with {entries}"))
        }
        PolicyFile::Invalid(errors) => Finding::new(
            Level::Problem,
            CHECK,
            format!("{path} has {}", Count(errors, "error")),
            "dwnl check shows them",
        ),
        PolicyFile::Missing => Finding::new(
            if own.is_stored { Level::Warning } else { Level::Note },
            CHECK,
            format!("there is no policy at {path}"),
            "write one (man dwnl-policy), or name it with -f",
        ),
    }
}

/// The services run as a user of their own.
fn access(facts: &Facts) -> Option<Finding> {
    let services = facts.files.services?;
    let is_refused = facts.own.is_readable_by_services == Some(false);
    (is_refused && (services.watches || services.applies)).then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "policy_access"),
            format!("user dwnl, as whom the services run, cannot read {}", facts.own.path),
            "chgrp dwnl and chmod 0640; dwnl check --as-service looks at the source files, too",
        )
    })
}

fn policy_warnings(own: &Own) -> Option<Finding> {
    (own.warning_count > 0).then(|| {
        Finding::new(
            Level::Warning,
            (AREA, "policy_warnings"),
            format!("there are {} about the policy", Count(own.warning_count, "warning")),
            "dwnl check shows them",
        )
    })
}

/// The stored policy is the one of before the trial, so the kernel differs from it.
fn trial(own: &Own) -> Option<Finding> {
    own.is_on_trial.then(|| {
        let summary = "a policy is on trial: unless it is confirmed, the policy of before returns";
        Finding::new(Level::Note, (AREA, "trial"), summary, trial_ends(own.watch.is_some()))
    })
}

fn rules(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "rules");
    let Some(comparison) = &facts.own.comparison else { return without_policy(facts) };
    let outcome = match &comparison.outcome {
        Ok(outcome) => outcome,
        Err(failure) => {
            let advice = "dwnl apply fails for the same reason";
            return Some(Finding::new(Level::Problem, CHECK, failure, advice));
        }
    };
    let counts = Counts::of(&outcome.plan);
    Some(match outcome.plan.is_empty() {
        true => Finding::ok(
            AREA,
            CHECK.1,
            format!("the kernel matches the policy: {}", counts.unchanged()),
        ),
        false if counts.rules_unchanged == 0 => Finding::new(
            Level::Problem,
            CHECK,
            "dwnl's rules are not installed: Docker alone decides who reaches published ports",
            "dwnl apply",
        ),
        false => Finding::new(
            Level::Warning,
            CHECK,
            format!("the kernel differs: {}", counts.changes("to add", "to remove")),
            match facts.own.is_on_trial {
                true => "dwnl plan shows who gains and loses access; the trial may be the reason",
                false => "dwnl plan shows who gains and loses access; dwnl apply repairs it",
            },
        ),
    })
}

/// Without a policy the rules of dwnl, if there are any, are not compared with anything.
fn without_policy(facts: &Facts) -> Option<Finding> {
    let is_open = facts.kernel.failure.is_none() && facts.kernel.guards_new_ports.is_none();
    is_open.then(|| {
        let summary = "no policy is in force: Docker alone decides who reaches published ports";
        let is_published = facts.docker().has_rules || facts.processes.daemon.is_some();
        let level = if is_published { Level::Warning } else { Level::Note };
        Finding::new(level, (AREA, "rules"), summary, "write a policy, then dwnl apply")
    })
}

fn guard(facts: &Facts) -> Option<Finding> {
    Some(match facts.guard()? {
        true => Finding::ok(AREA, "guard", "the guard is on"),
        false => Finding::new(
            Level::Note,
            (AREA, "guard"),
            "the guard is off: only what ip nat translates is judged, not docker-proxy's ports, \
             containers' own addresses, or Docker's other backends",
            "set `enabled = true` in `[guard]`",
        ),
    })
}

/// What `dwnl apply` warns of.
fn gaps(own: &Own) -> Vec<Finding> {
    let warnings = own.comparison.iter().flat_map(|it| &it.warnings);
    let finding = |warning: &String| Finding {
        area: AREA,
        check: "gaps",
        level: Level::Warning,
        summary: warning.clone(),
        advice: None,
    };
    warnings.map(finding).collect()
}

fn watch(facts: &Facts) -> Finding {
    const CHECK: (Area, &str) = (AREA, "watch");
    let is_enabled = facts.files.services.is_some_and(|services| services.watches);
    match facts.own.watch {
        Some(pid) => Finding::ok(AREA, CHECK.1, format!("dwnl watch runs (process {pid})")),
        None if is_enabled => Finding::new(
            Level::Warning,
            CHECK,
            "dwnl.service is enabled, but no watch is running, so nothing repairs the rules",
            "systemctl start dwnl, and journalctl -u dwnl for the reason",
        ),
        None => Finding::new(
            Level::Note,
            CHECK,
            "no watch is running, so nothing repairs the rules when other programs change them",
            "systemctl enable --now dwnl",
        ),
    }
}

/// Whether the policy will be in force after a reboot.
fn boot(facts: &Facts) -> Option<Finding> {
    let services = facts.files.services?;
    Some(match services.watches || services.applies {
        true => Finding::ok(AREA, "boot", "the policy is applied at boot"),
        false => Finding::new(
            Level::Warning,
            (AREA, "boot"),
            "nothing applies the policy at boot, so published ports are open after a reboot",
            "systemctl enable dwnl (or dwnl-apply)",
        ),
    })
}

/// The direct match on dockerd's cgroup has to be renewed when Docker is started.
fn drop_in(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "docker_drop_in");
    let services = facts.files.services?;
    let is_enabled = services.watches || services.applies;
    Some(match services.has_drop_in {
        true if is_enabled => {
            Finding::ok(AREA, CHECK.1, "the policy is applied before each start of Docker")
        }
        // The finding about the boot says so.
        true => return None,
        false if facts.guard() == Some(true) => Finding::new(
            Level::Note,
            CHECK,
            "docker.service has no drop-in that applies the policy before Docker starts: the match \
             on its sockets ends with a stop and start, until the next apply or check of watch",
            "docs/systemd.md shows the drop-in, which the package installs",
        ),
        false => return None,
    })
}

fn state(own: &Own) -> Option<Finding> {
    match &own.state_failure {
        Some(failure) => Some(Finding::new(
            Level::Warning,
            (AREA, "state"),
            format!("cannot read the stored policy: {failure}"),
            "without it there is nothing to fall back to if the policy file has errors",
        )),
        None => own
            .is_stored
            .then(|| Finding::ok(AREA, "state", "the policy in force is stored, to fall back to")),
    }
}
