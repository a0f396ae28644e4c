//! Imports of rules that real hosts have, with a real dockerd: the same clients get in before and after.

use std::fs;

use tempfile::TempDir;

use super::documents::{commands, run};
use super::support::{Answer, Docker, Topology, dwnl, tcp, wait_for};

/// Who gets in to port 8080 and to port 8081 of a host whose `INPUT` drops both.
struct Site {
    topology: Topology,
    _docker: Docker,
    directory: TempDir,
}

/// The original script, for one source.
const SCRIPT: &str = r#"#!/bin/sh
IPT="iptables -w"
ALLOWED="192.0.2.2"
$IPT -t nat -N DOCKER 2>/dev/null || true
$IPT -t nat -N DOCKER-BLOCK 2>/dev/null || $IPT -t nat -F DOCKER-BLOCK
while $IPT -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j RETURN 2>/dev/null; do :; done
while $IPT -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK 2>/dev/null; do :; done
$IPT -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j RETURN
$IPT -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
for source in $ALLOWED; do
    $IPT -t nat -A DOCKER-BLOCK -s $source -p tcp --dport 8080 -m state --state NEW -j DOCKER
done
"#;

/// Rules in `DOCKER-USER` by the port of the container, which both published ports lead to in turn.
const DOCKER_USER: &str = "
iptables -F DOCKER-USER
iptables -A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
iptables -A DOCKER-USER -i eth0 -s 192.0.2.2 -p tcp --dport 80 -j RETURN
iptables -A DOCKER-USER -i eth0 -j DROP
iptables -A DOCKER-USER -j RETURN
";

/// What ufw and ufw-docker load, with `ufw route allow proto tcp from 192.0.2.2 to any port 80`.
const UFW_DOCKER: &str = "*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -i docker0 -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN -s 10.0.0.0/8
-A DOCKER-USER -j RETURN -s 172.16.0.0/12
-A DOCKER-USER -j RETURN -s 192.168.0.0/16
-A DOCKER-USER -p udp -m udp --sport 53 --dport 1024:65535 -j RETURN
-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 172.16.0.0/12
-A DOCKER-USER -j ufw-docker-logging-deny -p udp -m udp --dport 0:32767 -d 172.16.0.0/12
-A DOCKER-USER -j RETURN
-A ufw-docker-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW DOCKER BLOCK] \"
-A ufw-docker-logging-deny -j DROP
-A ufw-user-forward -p tcp --dport 80 -s 192.0.2.2 -j ACCEPT
COMMIT
";

impl Site {
    fn new() -> Site {
        let topology = Topology::closed();
        let docker = Docker::start(&topology.host, &[]);
        docker.run("web", &["-p", "8080:80"], "exec nc -ll -p 80 -e cat");
        docker.run("other", &["-p", "8081:81"], "exec nc -ll -p 81 -e cat");
        let site =
            Site { topology, _docker: docker, directory: TempDir::new().expect("a directory") };
        for source in [Topology::ALLOWED, Topology::REFUSED] {
            for port in [8080, 8081] {
                wait_for("an answer", || {
                    (site.answer(source, port) == Answer::Answered).then_some(())
                });
            }
        }
        site
    }

    fn answer(&self, source: &str, port: u16) -> Answer {
        tcp(&self.topology.client, source, Topology::HOST, port)
    }

    #[track_caller]
    fn lets_in_the_allowed_to_8080_only(&self, when: &str) {
        assert_eq!(self.answer(Topology::ALLOWED, 8080), Answer::Answered, "{when}");
        assert_ne!(self.answer(Topology::REFUSED, 8080), Answer::Answered, "{when}");
        assert_ne!(self.answer(Topology::ALLOWED, 8081), Answer::Answered, "{when}");
    }

    /// Runs commands of the document and applies the policy; then removes the old rules.
    #[track_caller]
    fn migrate(&self, commands: &str, clean: &str) {
        let host = &self.topology.host;
        self.lets_in_the_allowed_to_8080_only("under the rules");
        run(host, self.directory.path(), commands);
        let policy =
            fs::read_to_string(self.directory.path().join("policy.toml")).expect("a policy");
        dwnl(host, &["check", "-f", "-"], &policy).succeeded();
        dwnl(host, &["apply", "-f", "-"], &policy).succeeded();
        host.run(&["sh", "-ec", clean]);
        self.lets_in_the_allowed_to_8080_only(&policy);
        dwnl(host, &["remove"], "").succeeded();
        assert_eq!(self.answer(Topology::REFUSED, 8081), Answer::Answered, "without rules");
    }
}

#[test]
fn the_recipes_let_in_whom_the_rules_let_in() {
    let site = Site::new();
    let host = &site.topology.host;
    let script = site.directory.path().join("docker-block.sh");
    fs::write(&script, SCRIPT).expect("to write a file");
    let file = script.to_str().expect("a path");
    host.run(&["sh", "-e", file]);
    site.migrate(&commands("From the DOCKER-BLOCK script")[0], ":");
    host.run(&["sh", "-e", file]);
    site.migrate(&commands("Moving to dwnl")[0], ":");

    let clean = "iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN";
    host.run(&["sh", "-ec", DOCKER_USER]);
    site.migrate(&commands("From DOCKER-USER")[0], clean);
    host.run(&["sh", "-ec", DOCKER_USER]);
    site.migrate(&commands("Moving to dwnl")[0], clean);

    host.try_run(&["iptables-restore", "-n"], UFW_DOCKER).succeeded();
    site.migrate(&commands("Moving to dwnl")[0], "iptables -F DOCKER-USER");
    host.try_run(&["iptables-restore", "-n"], UFW_DOCKER).succeeded();
    let rules = site.directory.path().join("user.rules");
    fs::write(&rules, UFW_DOCKER).expect("to write a file");
    let from_files = commands("From ufw-docker")[0]
        .replace("/etc/ufw/user.rules /etc/ufw/after.rules", "user.rules");
    site.migrate(&from_files, "iptables -F DOCKER-USER");
}
