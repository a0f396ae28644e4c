//! Random rules of an operator, beside those of Docker.

use super::super::support::Random;

/// Published ports with their protocol, whether they are bound to one address, and the container's port.
pub const PUBLISHED: [(&str, u16, bool, u16); 5] = [
    ("tcp", 5000, false, 80),
    ("tcp", 5001, false, 443),
    ("tcp", 80, true, 80),
    ("udp", 5000, false, 80),
    ("udp", 5001, false, 53),
];
const CONTAINERS: [&str; 2] = ["172.17.0.2", "fd17::2"];
const BOUND: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
const NETWORKS: [&[&str]; 2] = [
    &[
        "10.9.0.0/30",
        "10.9.0.0/16",
        "10.9.0.1",
        "10.0.0.0/8",
        "192.0.2.0/24",
        "198.51.100.2",
        "10.9.0.3",
    ],
    &[
        "fd09::/126",
        "fd09::/64",
        "fd09::1",
        "fd00::/8",
        "2001:db8::/64",
        "2001:db8:1::2",
        "fd09::3",
    ],
];
const RANGES: [&str; 2] = ["10.9.0.1-10.9.0.3", "fd09::1-fd09::3"];

/// The rules of both versions of IP.
pub struct Rules {
    /// The operator's, of the tables nat and filter.
    own: [[String; 2]; 2],
    has_scheme: bool,
}

impl Rules {
    /// Rules in the way of `DOCKER-BLOCK`, or in `DOCKER-USER`.
    pub fn random(random: &mut Random) -> Rules {
        let has_scheme = random.is_one_in(3);
        // Few rulesets have conditions that cannot be translated, else hardly any would be complete.
        let has_doubts = random.is_one_in(3);
        let own = [0, 1].map(|version| {
            let mut of = |table: &'static str, chain: &str, number: usize| {
                let mut generator = Generator { random, version, table, has_doubts };
                generator.chain(chain, number)
            };
            if has_scheme {
                let nat = [("ONE", 2), ("TWO", 2), ("DOCKER-BLOCK", 6)];
                let nat: String = nat.map(|(chain, number)| of("nat", chain, number)).concat();
                [nat, of("filter", "DOCKER-USER", 1)]
            } else {
                let filter = [("ONE", 2), ("TWO", 2), ("FORWARD", 1), ("DOCKER-USER", 6)];
                let filter = filter.map(|(chain, number)| of("filter", chain, number)).concat();
                [String::new(), filter]
            }
        });
        Rules { own, has_scheme }
    }

    /// For iptables-restore and ip6tables-restore, with the operator's rules or only with Docker's.
    pub fn texts(&self, with_own: bool) -> [String; 2] {
        [0, 1].map(|version| {
            let [nat, filter] = &self.own[version];
            let (nat, filter) = if with_own { (nat.as_str(), filter.as_str()) } else { ("", "") };
            self.text(version, nat, filter, with_own && self.has_scheme)
        })
    }

    fn text(&self, version: usize, nat: &str, filter: &str, has_scheme: bool) -> String {
        let (container, bound) = (CONTAINERS[version], BOUND[version]);
        let (mut translate, mut accept) = (String::new(), String::new());
        for (protocol, port, is_bound, inner) in PUBLISHED {
            let to = if version == 0 { container.to_owned() } else { format!("[{container}]") };
            let destination = if is_bound { format!("-d {bound} ") } else { String::new() };
            translate += &format!(
                "-A DOCKER {destination}! -i docker0 -p {protocol} -m {protocol} --dport {port} -j DNAT \
                 --to-destination {to}:{inner}\n"
            );
            accept += &format!(
                "-A DOCKER -d {container} ! -i docker0 -o docker0 -p {protocol} -m {protocol} --dport \
                 {inner} -j ACCEPT\n"
            );
        }
        let local = "-A PREROUTING -m addrtype --dst-type LOCAL -j";
        let scheme = match has_scheme {
            true => format!(":DOCKER-BLOCK - [0:0]\n{local} DOCKER-BLOCK\n{local} RETURN\n"),
            false => String::new(),
        };
        let chains = ":ONE - [0:0]\n:TWO - [0:0]\n:DOCKER - [0:0]\n";
        format!(
            "*nat\n{chains}{scheme}{local} DOCKER\n{nat}{translate}COMMIT\n\
             *filter\n:FORWARD DROP [0:0]\n{chains}:DOCKER-USER - [0:0]\n{filter}\
             -A FORWARD -j DOCKER-USER\n\
             -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
             -A FORWARD -o docker0 -j DOCKER\n\
             -A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n{accept}COMMIT\n"
        )
    }
}

struct Generator<'a> {
    random: &'a mut Random,
    version: usize,
    table: &'static str,
    has_doubts: bool,
}

impl Generator<'_> {
    /// Up to `number` rules or a few more.
    fn chain(&mut self, chain: &str, number: usize) -> String {
        let rules = self.random.below(2 * number + 1);
        let mut text: String = (0..rules).map(|_| self.rule(chain)).collect();
        if chain == "DOCKER-USER" && self.random.is_one_in(2) && self.table == "filter" {
            text += "-A DOCKER-USER -j DROP\n";
        }
        text
    }

    fn rule(&mut self, chain: &str) -> String {
        let mut conditions = Vec::new();
        let protocol = self.random.of(&["", "tcp", "tcp", "udp"]);
        for _ in 0..self.random.below(3) {
            conditions.push(self.condition());
        }
        if !protocol.is_empty() {
            conditions.push(format!("-p {protocol} -m {protocol}"));
            if self.random.is_one_in(2) {
                conditions.push(self.port());
            }
        }
        // An option may occur once.
        let mut seen = Vec::new();
        conditions.retain(|condition| {
            let option = condition.trim_start_matches("! ").split(' ').take(2).collect::<Vec<_>>();
            let option =
                if condition.contains("-m ") { option.join(" ") } else { option[0].to_owned() };
            let is_new = !seen.contains(&option);
            seen.push(option);
            is_new
        });
        conditions.sort_by_key(|condition| condition.starts_with("-m"));
        if self.random.is_one_in(3) {
            conditions.push(format!("-m comment --comment \"rule {}\"", self.random.below(3)));
        }
        let target = self.target(chain);
        format!("-A {chain} {} {target}\n", conditions.join(" "))
    }

    fn condition(&mut self) -> String {
        let version = self.version;
        let negation = if self.random.is_one_in(4) { "! " } else { "" };
        let network = self.random.of(NETWORKS[version]);
        let doubtful =
            ["-m mark --mark 0x1", "-m limit --limit 1000/sec", "-m pkttype --pkt-type host"];
        match self.random.below(if self.has_doubts { 12 } else { 11 }) {
            0..4 => format!("{negation}-s {network}"),
            4 => format!("-m iprange {negation}--src-range {}", RANGES[version]),
            5 => format!("{negation}-i {}", self.random.of(&["eth0", "eth1", "eth+", "docker0"])),
            6 => format!(
                "-m conntrack --ctstate {}",
                self.random.of(&["NEW", "ESTABLISHED", "INVALID"])
            ),
            7 => {
                let port = self.random.of(&["5000", "5001", "80", "5000:5001"]);
                format!("-m conntrack {negation}--ctorigdstport {port} --ctdir ORIGINAL")
            }
            8 => format!("-m conntrack --ctorigdst {}", BOUND[version]),
            9 if self.table == "filter" => format!("{negation}-d {}", CONTAINERS[version]),
            9 => format!("{negation}-d {}", BOUND[version]),
            10 if self.table == "filter" => "-o docker0".to_owned(),
            10 => "-m addrtype --dst-type LOCAL".to_owned(),
            _ => self.random.of(&doubtful).to_owned(),
        }
    }

    fn port(&mut self) -> String {
        let ports = match self.table {
            "filter" => ["80", "443", "53", "53:80"],
            _ => ["80", "5000", "5001", "5000:5001"],
        };
        match self.random.is_one_in(3) {
            true => {
                let (a, b) = (self.random.of(&ports), self.random.of(&ports));
                format!("-m multiport --dports {a},{b}")
            }
            false => format!("--dport {}", self.random.of(&ports)),
        }
    }

    fn target(&mut self, chain: &str) -> String {
        let jumps = ["-j ONE", "-g ONE", "-j TWO"];
        if !matches!(chain, "ONE" | "TWO") && self.random.is_one_in(4) {
            return self.random.of(&jumps).to_owned();
        }
        let targets = match self.table {
            "nat" => ["-j DOCKER", "-j DOCKER", "-j DOCKER", "-j RETURN", "-j ACCEPT"],
            _ => ["-j ACCEPT", "-j RETURN", "-j RETURN", "-j DROP", "-j LOG"],
        };
        self.random.of(&targets).to_owned()
    }
}
