//! Texts → policies.

use proptest::prelude::*;

use super::*;

fn run(text: &str) -> Imported {
    let input = Input { name: "rules".to_owned(), text: text.to_owned(), version: None };
    import(&[input]).expect("a policy")
}

/// The policy and the numbers of the lines that were not translated.
fn translated(text: &str) -> (String, Vec<u32>) {
    let imported = run(text);
    let lines = imported.untranslated.iter().map(|it| it.line).collect();
    let complete = imported.to_toml();
    assert!(Policy::parse(&complete, "policy.toml", ".".as_ref()).is_ok(), "{complete}");
    (imported.policy.to_toml(), lines)
}

#[track_caller]
fn expect(text: &str, policy: &str, untranslated: &[u32]) {
    let (found, lines) = translated(text);
    let trimmed: Vec<&str> = policy.lines().map(str::trim).collect();
    let found_trimmed: Vec<&str> = found.lines().map(str::trim).collect();
    assert_eq!(found_trimmed.join("\n").trim(), trimmed.join("\n").trim(), "{:#?}", run(text));
    assert_eq!(lines, untranslated, "{:#?}", run(text).untranslated);
}

#[test]
fn the_original_script_is_followed() {
    expect(
        r#"#!/bin/sh
        set -e
        IPT="/sbin/iptables -w 5"
        LB=172.16.0.0/26   # the load balancers
        $IPT -t nat -N DOCKER 2>/dev/null || true
        $IPT -t nat -N DOCKER-BLOCK 2>/dev/null || $IPT -t nat -F DOCKER-BLOCK
        $IPT -t nat -I PREROUTING -m state --state NEW -m addrtype --dst-type LOCAL -j RETURN
        while $IPT -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j RETURN; do :; done
        $IPT -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j RETURN
        $IPT -t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
        for port in 443 8443; do
            $IPT -t nat -A DOCKER-BLOCK -s "$LB" -p tcp --dport $port -m state --state NEW -j DOCKER
        done
        $IPT -t nat -A DOCKER-BLOCK -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW \
            -m comment --comment "everybody" -j DOCKER
        $IPT -t nat -A DOCKER-BLOCK -i eth1 -s 10.0.0.7,10.0.0.9 -p udp --dport 53 -j DOCKER
        $IPT -t nat -D PREROUTING -m state --state NEW -m addrtype --dst-type LOCAL -j RETURN
        "#,
        r#"
        [[allow]]
        ports = [
            "443/tcp",
            "8443/tcp",
        ]
        from = ["172.16.0.0/26"]

        [[allow]]
        name = "everybody"
        ports = ["80/tcp"]
        from = ["0.0.0.0/0"]

        [[allow]]
        ports = ["53/udp"]
        from = [
            "10.0.0.7",
            "10.0.0.9",
        ]
        in-interface = "eth1"
        "#,
        &[],
    );
}

#[test]
fn a_refusal_takes_away_what_follows_it_and_not_what_precedes_it() {
    expect(
        "*nat\n\
         -A DOCKER-BLOCK -s 10.0.0.1 -p tcp --dport 80 -j DOCKER\n\
         -A DOCKER-BLOCK -s 10.0.0.0/30 -j RETURN\n\
         -A DOCKER-BLOCK -s 10.0.0.0/29 -p tcp --dport 80 -j DOCKER\n",
        r#"
        [[allow]]
        ports = ["80/tcp"]
        from = [
            "10.0.0.1",
            "10.0.0.4/30",
        ]
        "#,
        &[],
    );
}

#[test]
fn docker_user_is_followed_by_the_published_port() {
    expect(
        "*filter\n\
         :FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n:OFFICE - [0:0]\n\
         -A FORWARD -j DOCKER-USER\n\
         -A FORWARD -j DOCKER-ISOLATION-STAGE-1\n\
         -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A FORWARD -o docker0 -j DOCKER\n\
         -A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n\
         -A DOCKER-USER -i docker0 -j RETURN\n\
         -A DOCKER-USER -i eth0 -p tcp -m conntrack --ctorigdstport 8080 --ctdir ORIGINAL -j OFFICE\n\
         -A DOCKER-USER -i eth0 -m limit --limit 3/min -j LOG --log-prefix \"refused \"\n\
         -A DOCKER-USER -i eth0 -j DROP\n\
         -A DOCKER-USER -j RETURN\n\
         -A OFFICE -m iprange --src-range 192.0.2.10-192.0.2.19 -j ACCEPT\n\
         -A OFFICE -s 198.51.100.7/32 -j ACCEPT\n\
         COMMIT\n",
        r#"
        [[allow]]
        ports = [
            "1-65535/tcp",
            "1-65535/udp",
            "1-65535/sctp",
        ]
        from = ["0.0.0.0/0"]
        in-interface = "!eth0"

        [[allow]]
        ports = ["8080/tcp"]
        from = [
            "192.0.2.10-192.0.2.19",
            "198.51.100.7",
        ]
        in-interface = "eth0"
        "#,
        &[],
    );
}

#[test]
fn what_is_refused_first_becomes_an_entry_that_denies() {
    expect(
        "create bans hash:net family inet\nadd bans 203.0.113.0/24\nadd bans 198.51.100.9\n\
         *filter\n\
         -A DOCKER-USER -m set --match-set bans src -j DROP\n\
         -A DOCKER-USER -p tcp -m conntrack --ctorigdstport 5432 -m comment --comment db -j REJECT\n\
         -A DOCKER-USER -s 192.0.2.0/24 -p udp -j RETURN\n\
         -A DOCKER-USER -s 192.0.2.128/25 -j DROP\n\
         -A DOCKER-USER -s 10.0.0.0/8 -j DROP\n\
         -A DOCKER-USER -p tcp -j ACCEPT\n\
         -A DOCKER-USER -j DROP\n",
        r#"
        [sources]
        bans = [
            "198.51.100.9",
            "203.0.113.0/24",
        ]

        [[deny]]
        from = [
            "bans",
            "10.0.0.0/8",
        ]

        [[deny]]
        name = "db"
        ports = ["5432/tcp"]
        from = ["0.0.0.0/0"]

        [[allow]]
        ports = ["1-65535/udp"]
        from = ["192.0.2.0/24"]

        [[allow]]
        ports = ["1-65535/tcp"]
        from = ["0.0.0.0/0"]
        except = ["192.0.2.128/25"]
        "#,
        &[],
    );
}

#[test]
fn a_container_that_is_let_in_first_is_not_denied() {
    let rules = format!(
        "{DOCKER}*filter\n\
         -A DOCKER-USER -s 10.0.0.0/8 -d 172.17.0.4 -j RETURN\n\
         -A DOCKER-USER -s 10.0.0.0/8 -j DROP\n"
    );
    expect(
        &rules,
        r#"
        [[allow]]
        ports = ["53/udp"]
        from = ["10.0.0.0/8"]

        [[allow]]
        ports = [
            "1-65535/tcp",
            "1-65535/udp",
            "1-65535/sctp",
        ]
        from = ["0.0.0.0/0"]
        except = ["10.0.0.0/8"]
        "#,
        &[],
    );
}

/// Docker's rules for three containers.
const DOCKER: &str = "*nat\n\
    :DOCKER - [0:0]\n\
    -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
    -A DOCKER -i docker0 -j RETURN\n\
    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n\
    -A DOCKER -d 203.0.113.5/32 ! -i docker0 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443\n\
    -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 9000 -j DNAT --to-destination 172.17.0.3:80\n\
    -A DOCKER ! -i docker0 -p udp -m udp --dport 53 -j DNAT --to-destination 172.17.0.4:53\n\
    COMMIT\n";

#[test]
fn ports_of_containers_are_mapped_back() {
    let rules = format!(
        "{DOCKER}*filter\n\
         -A DOCKER-USER -s 10.1.0.0/16 -p tcp -m tcp --dport 80 -j RETURN\n\
         -A DOCKER-USER -s 10.2.0.0/16 -d 172.17.0.2 -p tcp -j RETURN\n\
         -A DOCKER-USER -s 10.3.0.0/16 -d 172.17.0.9 -p tcp --dport 80 -j RETURN\n\
         -A DOCKER-USER -j DROP\n"
    );
    expect(
        &rules,
        r#"
        [[allow]]
        ports = ["8080/tcp"]
        from = [
            "10.1.0.0/16",
            "10.2.0.0/16",
        ]

        [[allow]]
        ports = ["8443/tcp"]
        from = ["10.2.0.0/16"]
        to = ["203.0.113.5"]
        "#,
        &[13],
    );
}

#[test]
fn without_dockers_rules_ports_of_containers_let_in_nobody() {
    let imported = run("-A DOCKER-USER -p tcp --dport 80 -j ACCEPT\n-A DOCKER-USER -j DROP\n");
    assert!(imported.policy.allow().is_empty());
    assert_eq!(imported.untranslated[0].line, 1);
    assert!(imported.remarks[1].contains("iptables-save -t nat"), "{:?}", imported.remarks);
}

const UFW_DOCKER: &str = r#"
*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward

-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -m conntrack --ctstate INVALID -j DROP
-A DOCKER-USER -i docker0 -o docker0 -j ACCEPT

-A DOCKER-USER -j RETURN -s 10.0.0.0/8
-A DOCKER-USER -j RETURN -s 192.168.0.0/16

-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 172.16.0.0/12
-A DOCKER-USER -j ufw-docker-logging-deny -p udp -m udp --dport 0:32767 -d 172.16.0.0/12

-A DOCKER-USER -j RETURN

-A ufw-docker-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW DOCKER BLOCK] "
-A ufw-docker-logging-deny -j DROP
COMMIT
"#;

const UFW_USER: &str = "*filter\n:ufw-user-forward - [0:0]\n### RULES ###\n\n\
    ### tuple ### route:allow tcp 80 0.0.0.0/0 any 203.0.113.0/24 in\n\
    -A ufw-user-forward -p tcp --dport 80 -s 203.0.113.0/24 -j ACCEPT\n\n\
    ### tuple ### route:allow any 53 172.17.0.4 any 0.0.0.0/0 in\n\
    -A ufw-user-forward -p tcp -d 172.17.0.4 --dport 53 -j ACCEPT\n\
    -A ufw-user-forward -p udp -d 172.17.0.4 --dport 53 -j ACCEPT\nCOMMIT\n";

#[test]
fn ufw_docker_is_followed() {
    let texts = [UFW_USER, UFW_DOCKER, DOCKER];
    let inputs =
        texts.map(|text| Input { name: "x".to_owned(), text: text.to_owned(), version: None });
    let imported = import(&inputs).expect("a policy");
    let expected = r#"[[allow]]
ports = ["8080/tcp"]
from = ["203.0.113.0/24"]

[[allow]]
ports = [
    "53/udp",
    "1-65535/sctp",
]
from = ["0.0.0.0/0"]

[[allow]]
ports = [
    "1-65535/tcp",
    "1-65535/udp",
    "1-65535/sctp",
]
from = [
    "10.0.0.0/8",
    "192.168.0.0/16",
]
"#;
    assert_eq!(imported.policy.to_toml(), expected);
    let lines: Vec<u32> = imported.untranslated.iter().map(|it| it.line).collect();
    // Port 53 of the container is not published over TCP.
    assert_eq!(lines, [9]);
}

#[test]
fn ipsets_become_groups() {
    expect(
        "create office hash:net family inet hashsize 1024 maxelem 65536\n\
         add office 192.0.2.0/24\n\
         add office 198.51.100.7\n\
         create bans hash:ip family inet timeout 600\n\
         add bans 192.0.2.66 timeout 300\n\
         *nat\n\
         -A DOCKER-BLOCK -m set --match-set bans src -j RETURN\n\
         -A DOCKER-BLOCK -p tcp --dport 443 -m set --match-set office src -j DOCKER\n\
         -A DOCKER-BLOCK -p tcp --dport 444 -m set --match-set missing src -j DOCKER\n",
        r#"
        [sources]
        office = [
            "192.0.2.0/24",
            "198.51.100.7",
        ]

        [[allow]]
        ports = ["443/tcp"]
        from = ["office"]
        except = ["192.0.2.66"]
        "#,
        &[7, 9],
    );
}

#[test]
fn what_is_doubtful_is_the_stricter_of_both() {
    // A limit, an unknown source, a chain that is not there, a loop over unknown words.
    for (line, policy) in [
        ("-A DOCKER-USER -m limit --limit 1/s -j ACCEPT", ""),
        ("-A DOCKER-USER -s host.example -j ACCEPT", ""),
        ("-A DOCKER-USER -j SOMETHING\n-A DOCKER-USER -j ACCEPT", ""),
        ("-A DOCKER-USER -m recent --rcheck -j DROP\n-A DOCKER-USER -j ACCEPT", ""),
        ("iptables -A DOCKER-USER -s $1 -j DROP\niptables -A DOCKER-USER -j ACCEPT", ""),
        ("for i in $(cat x); do iptables -A DOCKER-USER -s $i -j DROP; done", ""),
        ("cat x | while read i; do iptables -A DOCKER-USER -s $i -j DROP; done", ""),
        ("if [ x ]; then iptables -I DOCKER-USER -j DROP; fi", ""),
        ("iptables -A $CHAIN -j DROP\niptables -A DOCKER-USER -j ACCEPT", ""),
        ("xargs iptables -I DOCKER-USER -j DROP -s <x", ""),
        (
            "deny() { iptables -I DOCKER-USER -j DROP; }\niptables -A DOCKER-USER -j ACCEPT\ndeny",
            "",
        ),
    ] {
        let text = format!("{line}\n-A DOCKER-USER -j DROP\n");
        assert_eq!(run(&text).policy.to_toml(), policy, "{line}");
    }
}

#[test]
fn branches_and_functions_of_scripts_are_followed() {
    expect(
        "#!/bin/bash\n\
         allow() {\n  local port=${2:-443}\n  iptables -A DOCKER-USER -p tcp -m conntrack --ctorigdstport $port -s $1 -j RETURN\n}\n\
         function both\n{\n  iptables \"$@\"; ip6tables \"$@\"\n}\n\
         if true; then\n  if true; then echo; fi\nelse\n  iptables -A DOCKER-USER -s 10.9.9.9 -j RETURN\nfi\n\
         allow 10.0.0.1\nallow 10.0.0.2 80\n\
         case $1 in\n  start) iptables -A DOCKER-USER -s 10.8.8.8 -j RETURN ;;\n  *) exit ;;\nesac\n\
         both -A DOCKER-USER -m comment --comment 'the rest' -j DROP\n",
        r#"
        [[allow]]
        ports = ["443/tcp"]
        from = ["10.0.0.1"]

        [[allow]]
        ports = ["80/tcp"]
        from = ["10.0.0.2"]
        "#,
        &[13, 18],
    );
}

#[test]
fn both_versions_are_joined() {
    expect(
        "# Generated by iptables-save v1.8.9\n*nat\n\
         -A DOCKER-BLOCK -p tcp --dport 443 -m comment --comment web -j DOCKER\n\
         -A DOCKER-BLOCK -s 192.0.2.7 -p tcp --dport 22 -j DOCKER\nCOMMIT\n\
         # Generated by ip6tables-save v1.8.9\n*nat\n\
         -A DOCKER-BLOCK -p tcp --dport 443 -m comment --comment web -j DOCKER\n\
         -A DOCKER-BLOCK -s 2001:db8::7/128 -p tcp --dport 22 -j DOCKER\nCOMMIT\n",
        r#"
        [[allow]]
        name = "web"
        ports = ["443/tcp"]

        [[allow]]
        ports = ["22/tcp"]
        from = [
            "192.0.2.7",
            "2001:db8::7",
        ]
        "#,
        &[],
    );
}

#[test]
fn lists_of_rules_are_recognized_by_their_table() {
    for list in [
        "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n-N DOCKER-BLOCK\n",
        "",
    ] {
        let text =
            format!("{list}-A DOCKER-BLOCK -s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DOCKER\n");
        assert_eq!(run(&text).policy.allow().len(), 1, "{text}");
    }
}

#[test]
fn a_list_that_is_shared_gets_a_name() {
    expect(
        "*nat\n\
         -A DOCKER-BLOCK -s 10.0.0.1 -p tcp --dport 80 -m comment --comment a -j DOCKER\n\
         -A DOCKER-BLOCK -s 10.0.0.9 -p tcp --dport 80 -m comment --comment a -j DOCKER\n\
         -A DOCKER-BLOCK -s 10.0.0.1 -p udp --dport 80 -m comment --comment b -j DOCKER\n\
         -A DOCKER-BLOCK -s 10.0.0.9 -p udp --dport 80 -m comment --comment b -j DOCKER\n\
         -A DOCKER-BLOCK -s 10.0.0.5 -p udp --dport 90 -i eth0 -m comment --comment b -j DOCKER\n",
        r#"
        [sources]
        group-1 = [
            "10.0.0.1",
            "10.0.0.9",
        ]

        [[allow]]
        name = "a"
        ports = ["80/tcp"]
        from = ["group-1"]

        [[allow]]
        name = "b"
        ports = ["80/udp"]
        from = ["group-1"]

        [[allow]]
        name = "b-2"
        ports = ["90/udp"]
        from = ["10.0.0.5"]
        in-interface = "eth0"
        "#,
        &[],
    );
}

#[test]
fn what_has_no_such_rules_is_an_error() {
    for text in ["", "iptables -A INPUT -j DROP\n", "nonsense ' \" $(", ":::\n*\n-A\n-A x\n[0:0]"] {
        let input = Input { name: "x".to_owned(), text: text.to_owned(), version: None };
        assert_eq!(import(&[input]), Err(ImportError::NoRules), "{text}");
    }
}

/// Pieces of scripts and of rules, in any order.
fn pieces() -> impl Strategy<Value = String> {
    const WORDS: [&str; 78] = [
        "-A",
        "-I",
        "-D",
        "-F",
        "-N",
        "-P",
        "-R",
        "DOCKER-USER",
        "DOCKER-BLOCK",
        "FORWARD",
        "PREROUTING",
        "DOCKER",
        "ONE",
        "-j",
        "-g",
        "ACCEPT",
        "DROP",
        "RETURN",
        "DNAT",
        "--to-destination",
        "172.17.0.2:80",
        "[fd17::2]:80",
        "-s",
        "-d",
        "10.0.0.0/8",
        "192.0.2.7",
        "2001:db8::/32",
        "0/0",
        "-p",
        "tcp",
        "udp",
        "--dport",
        "80",
        "1:65535",
        "0",
        "-m",
        "multiport",
        "--dports",
        "80,443",
        "iprange",
        "--src-range",
        "10.0.0.1-10.0.0.9",
        "::ffff:1.2.3.4",
        "!",
        "-i",
        "eth0",
        "eth+",
        "+",
        "set",
        "--match-set",
        "s",
        "src",
        "conntrack",
        "--ctstate",
        "NEW",
        "--ctorigdstport",
        "--comment",
        "'a b'",
        "\u{202e}x",
        "-t",
        "nat",
        "filter",
        "iptables",
        "ip6tables",
        "$x",
        "${1:-y}",
        "for",
        "in",
        "do",
        "done",
        "if",
        "then",
        "fi",
        "f()",
        "{",
        "}",
        "<<E",
        "\\",
    ];
    const LINES: [&str; 8] = [
        "*nat",
        "*filter",
        "COMMIT",
        "create s hash:net family inet",
        "add s 10.0.0.0/9",
        "E",
        "-A DOCKER-USER -j ONE",
        "-A DOCKER-BLOCK -p tcp --dport 80 -j DOCKER",
    ];
    let word = prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
    let rule = prop::collection::vec(word, 1..12).prop_map(|words| words.join(" "));
    let begins =
        prop::sample::select(&["-A DOCKER-USER ", "-A DOCKER-BLOCK ", "iptables -A ONE ", ""][..]);
    let rule = (begins, rule).prop_map(|(begins, rule)| format!("{begins}{rule}"));
    let line = prop_oneof![rule, prop::sample::select(&LINES[..]).prop_map(str::to_owned)];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn every_text_is_an_error_or_a_valid_policy(text in prop_oneof![3 => pieces(), 1 => any::<String>()]) {
        let input = Input { name: "a\nb".to_owned(), text, version: None };
        if let Ok(imported) = import(&[input]) {
            let toml = imported.to_toml();
            let read = Policy::parse(&toml, "policy.toml", ".".as_ref());
            prop_assert!(read.is_ok(), "{read:?}\n{toml}");
            prop_assert_eq!(read.map(|it| it.to_toml()), Ok(imported.policy.to_toml()));
        }
    }
}
