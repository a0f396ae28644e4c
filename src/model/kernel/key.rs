//! What rules load and set: the keys of the expressions `meta` and `ct`.

/// A key of `meta` (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetaKey(pub u32);

impl MetaKey {
    pub const PROTOCOL: MetaKey = MetaKey(1);
    pub const MARK: MetaKey = MetaKey(3);
    pub const IIF: MetaKey = MetaKey(4);
    pub const OIF: MetaKey = MetaKey(5);
    pub const IIFNAME: MetaKey = MetaKey(6);
    pub const OIFNAME: MetaKey = MetaKey(7);
    pub const NFTRACE: MetaKey = MetaKey(12);
    pub const NFPROTO: MetaKey = MetaKey(15);
    pub const L4PROTO: MetaKey = MetaKey(16);
    pub const SKUID: MetaKey = MetaKey(10);
    pub const SKGID: MetaKey = MetaKey(11);
    pub const CGROUP: MetaKey = MetaKey(23);
    pub const PKTTYPE: MetaKey = MetaKey(19);
    pub const IIFKIND: MetaKey = MetaKey(26);
    pub const OIFKIND: MetaKey = MetaKey(27);
    pub const TIME_NS: MetaKey = MetaKey(30);
    pub const TIME_DAY: MetaKey = MetaKey(31);
    pub const TIME_HOUR: MetaKey = MetaKey(32);

    /// nft's word for it.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [(u32, &str); 30] = [
            (0, "length"),
            (1, "protocol"),
            (2, "priority"),
            (3, "mark"),
            (4, "iif"),
            (5, "oif"),
            (6, "iifname"),
            (7, "oifname"),
            (8, "iiftype"),
            (9, "oiftype"),
            (10, "skuid"),
            (11, "skgid"),
            (12, "nftrace"),
            (13, "rtclassid"),
            (15, "nfproto"),
            (16, "l4proto"),
            (17, "ibrname"),
            (18, "obrname"),
            (19, "pkttype"),
            (20, "cpu"),
            (21, "iifgroup"),
            (22, "oifgroup"),
            (23, "cgroup"),
            (24, "random"),
            (25, "ipsec"),
            (26, "iifkind"),
            (27, "oifkind"),
            (30, "time"),
            (31, "day"),
            (32, "hour"),
        ];
        NAMES.into_iter().find(|(number, _)| *number == self.0).map(|(_, name)| name)
    }
}

/// A key of `ct` (`NFT_CT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CtKey(pub u32);

impl CtKey {
    pub const STATE: CtKey = CtKey(0);
    pub const DIRECTION: CtKey = CtKey(1);
    pub const STATUS: CtKey = CtKey(2);
    pub const MARK: CtKey = CtKey(3);
    pub const L3PROTOCOL: CtKey = CtKey(7);
    pub const SRC: CtKey = CtKey(8);
    pub const DST: CtKey = CtKey(9);
    pub const PROTOCOL: CtKey = CtKey(10);
    pub const PROTO_SRC: CtKey = CtKey(11);
    pub const PROTO_DST: CtKey = CtKey(12);
    pub const LABELS: CtKey = CtKey(13);
    pub const ZONE: CtKey = CtKey(17);
    pub const SRC_IP: CtKey = CtKey(19);
    pub const DST_IP: CtKey = CtKey(20);
    pub const SRC_IP6: CtKey = CtKey(21);
    pub const DST_IP6: CtKey = CtKey(22);

    /// nft's word for it.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [(u32, &str); 21] = [
            (0, "state"),
            (1, "direction"),
            (2, "status"),
            (3, "mark"),
            (5, "expiration"),
            (6, "helper"),
            (7, "l3proto"),
            (8, "saddr"),
            (9, "daddr"),
            (10, "protocol"),
            (11, "proto-src"),
            (12, "proto-dst"),
            (13, "label"),
            (14, "packets"),
            (15, "bytes"),
            (17, "zone"),
            (18, "event"),
            (19, "ip saddr"),
            (20, "ip daddr"),
            (21, "ip6 saddr"),
            (22, "ip6 daddr"),
        ];
        NAMES.into_iter().find(|(number, _)| *number == self.0).map(|(_, name)| name)
    }
}
