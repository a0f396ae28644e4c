//! Rules as common programs write them.

/// Arguments of iptables, of what administrators, Docker, ufw, fail2ban, libvirt and kube-proxy write.
pub const IPV4: &str = "\
-N USER
-A INPUT -s 10.0.0.0/8 -d 192.168.1.0/26 -i eth0 -p tcp -m tcp --sport 1000:2000 --dport 22 -j ACCEPT
-A INPUT ! -s 10.1.2.3 ! -i eth+ ! -p udp -j DROP
-A INPUT -p tcp ! --dport 22 --syn -m comment --comment \"a b\" -j REJECT --reject-with tcp-reset
-A INPUT -p tcp -m tcp --tcp-flags SYN,ACK SYN -j LOG --log-prefix \"x y: \" --log-level 6 --log-uid
-A INPUT -p udp -m multiport --dports 53,67:68 -j RETURN
-A INPUT -p tcp -m multiport ! --sports 53,67:68 -j RETURN
-A INPUT -m mark --mark 0x1/0xff -m connmark ! --mark 2 -j NFLOG --nflog-group 5 --nflog-prefix hi
-A INPUT -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"
-A INPUT -m limit --limit 7/sec -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate NEW --ctorigdst 10.0.0.1 --ctorigdstport 80 --ctdir ORIGINAL -j ACCEPT
-A INPUT -m conntrack ! --ctstate DNAT --ctstatus ASSURED,CONFIRMED -j ACCEPT
-A INPUT -m state --state NEW -j ACCEPT
-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in ! --src-type BROADCAST,MULTICAST -j ACCEPT
-A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 ! --dst-range 10.0.0.20-10.0.0.30 -j ACCEPT
-A INPUT -p icmp --icmp-type echo-request -j ACCEPT
-A INPUT -p icmp --icmp-type 3/4 -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p sctp --dport 99 -j ACCEPT
-A INPUT -p 99 -j ACCEPT
-A INPUT -j REJECT
-A INPUT -j REJECT --reject-with icmp-admin-prohibited
-A INPUT -f -j DROP
-A INPUT -g USER
-A INPUT -j USER
-A FORWARD -i br-0123456789ab ! -o br-0123456789ab -j ACCEPT
-A FORWARD -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-t mangle -A PREROUTING -j MARK --set-xmark 0x5/0xf
-t mangle -A PREROUTING -j MARK --or-mark 7
-t mangle -A PREROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-t mangle -A PREROUTING -j CONNMARK --restore-mark
-t mangle -A PREROUTING -j CONNMARK --set-mark 3
-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400
-t raw -A PREROUTING -j CT --notrack
-t raw -A PREROUTING -j CT --zone 3
-t raw -A PREROUTING -j TRACE
-t raw -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
-t nat -N DOCKER
-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-t nat -A DOCKER -i docker0 -j RETURN
-t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.2-10.0.0.5:8080-8090 --random --persistent
-t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 8080
-t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT
-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-t nat -A POSTROUTING -s 172.17.0.0/16 -p tcp -j MASQUERADE --to-ports 100-200 --random
-t nat -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-t nat -A POSTROUTING -j SNAT --to-source 1.2.3.4";

/// The same of ip6tables.
pub const IPV6: &str = "\
-N USER
-A INPUT -s fe80::/10 -d ff02::1/128 -i eth0 -p udp -m udp --sport 547 --dport 546 -j ACCEPT
-A INPUT ! -s 2001:db8::/33 -j DROP
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1/4 -j ACCEPT
-A INPUT -m conntrack --ctstate NEW --ctorigdst 2001:db8::1 -j ACCEPT
-A INPUT -m iprange --src-range 2001:db8::1-2001:db8::9 -j ACCEPT
-A INPUT -j REJECT
-A INPUT -p tcp -j REJECT --reject-with tcp-reset
-A INPUT -j REJECT --reject-with icmp6-adm-prohibited
-t nat -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd17::2]:8080
-t nat -A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination fd17::2
-t nat -A PREROUTING -p udp -m udp --dport 81 -j REDIRECT --to-ports 8080
-t nat -A POSTROUTING -s fd17::/64 ! -o docker0 -j MASQUERADE";

/// Rules of nft as administrators, firewalld, netavark, kube-proxy and Docker 29 write them.
pub const NFT_INET: &str = "
table inet words {
    set addresses { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 } }
    set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 } }
    set seen { type ipv4_addr; size 100; flags dynamic,timeout; }
    set times { typeof meta time; flags interval; elements = { 1796108400-1796144400 } }
    map targets { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.2 } }
    map verdicts { type ipv4_addr : verdict; elements = { 10.0.0.2 : drop } }
    chain other { }
    chain input {
        type filter hook input priority filter; policy accept;
        ct state vmap { established : accept, related : accept, invalid : drop }
        ct state established,related accept
        meta time @times accept
        meta time != @times accept
        meta time < \"2026-12-01 18:00:00\" accept
        meta time \"2026-12-01 18:00:00\"-\"2026-12-01 19:30:00\" accept
        meta day \"Monday\" accept
        meta hour \"08:00\"-\"18:30\" accept
        ct state new counter accept
        ct state != new drop
        ct state invalid drop
        ct status dnat accept
        iifname \"lo\" accept
        iif \"lo\" accept
        iifname \"veth*\" oifname != \"eth0\" drop
        iifname { \"eth0\", \"eth1\" } accept
        ip saddr 10.0.0.0/8 drop
        ip saddr 10.1.2.3 ip daddr != 192.168.0.0/17 drop
        ip saddr @addresses tcp dport 22 accept
        ip saddr != @addresses drop
        ip saddr . tcp dport @pairs accept
        ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 443 } accept
        ip saddr { 10.0.0.0/8, 192.0.2.7 } accept
        ip6 saddr { fe80::/10, 2001:db8::1 } accept
        ip6 daddr fe80::/64 udp dport 546 accept
        tcp dport { 22, 80, 443, 8000-8100 } accept
        tcp dport 8000-8100 accept
        tcp dport != 22 drop
        tcp dport != 1-1023 drop
        tcp sport > 1023 accept
        tcp flags syn / fin,syn,rst,ack accept
        tcp flags & (syn | ack) == syn accept
        udp dport vmap { 53 : accept, 54 : jump other, 55 : goto other }
        th dport 53 drop
        meta l4proto { tcp, udp } th dport 53 accept
        meta l4proto tcp accept
        meta l4proto != udp accept
        meta nfproto ipv4 accept
        meta nfproto ipv6 tcp dport 80 accept
        meta mark 0x00000001 accept
        meta mark & 0x000000ff == 0x00000001 accept
        meta pkttype multicast drop
        meta iifkind \"bridge\" accept
        ct mark & 0x00000001 == 0x00000001 accept
        ct mark set meta mark
        ct mark set ct mark | 0x00000001
        ct mark set ct mark & 0xfffffffe
        meta mark set 0x00000005
        meta mark set ct mark
        ct original ip daddr 10.0.0.1 accept
        meta l4proto tcp ct original proto-dst 80 accept
        ct direction original accept
        fib daddr type local accept
        fib daddr type { local, broadcast } accept
        fib saddr . iif oif missing drop
        fib saddr . mark . iif oif missing drop
        fib daddr . iif type != local drop
        icmp type echo-request accept
        icmp type { echo-reply, destination-unreachable } accept
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        ip protocol icmp accept
        limit rate 10/second burst 20 packets accept
        limit rate over 3/minute drop
        log prefix \"refused: \" level info
        log prefix \"refused: \" group 5
        log flags all
        ip saddr vmap @verdicts
        update @seen { ip saddr timeout 1h } accept
        add @seen { ip saddr }
        counter reject
        reject with tcp reset
        reject with icmpx admin-prohibited
        reject with icmp host-unreachable
        jump other
        goto other
        tcp dport 80 accept comment \"a web server\"
        drop
        return
    }
    chain nat {
        type nat hook prerouting priority dstnat; policy accept;
        tcp dport 80 dnat ip to 10.0.0.2:8080
        tcp dport 81 dnat ip to 10.0.0.2
        tcp dport 82 dnat ip6 to [fd17::2]:80
        tcp dport 83 dnat ip6 to fd17::2
        dnat ip to tcp dport map { 80 : 10.0.0.2, 81 : 10.0.0.3 }
        dnat ip to tcp dport map @targets
        dnat ip to tcp dport map { 80 : 10.0.0.2 . 8080 }
        tcp dport 84 redirect
        tcp dport 84 redirect to :8080
    }
    chain post {
        type nat hook postrouting priority srcnat; policy accept;
        masquerade
        masquerade random,persistent
        ip saddr 10.0.0.0/8 snat ip to 1.2.3.4
    }
    chain raw {
        type filter hook prerouting priority raw; policy accept;
        notrack
        fib daddr . iif type vmap { blackhole : drop, prohibit : jump other, unreachable : drop }
    }
}";

/// The same in the family `ip`.
pub const NFT_IP: &str = "
table ip words {
    chain input {
        type filter hook input priority filter; policy drop;
        ip saddr 10.0.0.0/8 accept
        tcp dport 80 accept
        ip daddr 10.0.0.1 tcp dport 80 reject
        ip protocol tcp drop
        reject with icmp admin-prohibited
    }
    chain nat {
        type nat hook prerouting priority dstnat; policy accept;
        tcp dport 80 dnat to 10.0.0.2:8080
        tcp dport 81 dnat to 10.0.0.2-10.0.0.9:8080-8090
        tcp dport 82 dnat to :90
    }
}";

/// The same in the family `ip6`.
pub const NFT_IP6: &str = "
table ip6 words {
    chain input {
        type filter hook input priority filter; policy drop;
        ip6 saddr fe80::/10 accept
        ip6 nexthdr tcp accept
        icmpv6 type nd-router-advert accept
        reject with icmpv6 admin-prohibited
        reject
    }
}";
